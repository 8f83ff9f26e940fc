using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>The house stands as drawn in docs/architecture.md: who may know whom.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly string[] Analyzers = ["Meziantou.Analyzer", "Microsoft.CodeAnalysis.PublicApiAnalyzers"];

    [Fact]
    public void Abstractions_reference_nothing()
    {
        Assert.Empty(ProjectReferences("src/Engine.Abstractions/Engine.Abstractions.csproj"));
        Assert.Empty(Packages("src/Engine.Abstractions/Engine.Abstractions.csproj").Except(Analyzers, StringComparer.Ordinal));
        Assert.All(typeof(KMeans).Assembly.GetReferencedAssemblies(), static a => Assert.StartsWith("System.", a.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void Rooms_reference_abstractions_alone_and_the_tool_references_all()
    {
        foreach (string project in Projects("src"))
        {
            string name = Path.GetFileNameWithoutExtension(project);
            if (name is "Engine.Abstractions" or "Engine.Cli")
                continue;
            Assert.Equal(["Engine.Abstractions"], ProjectReferences(project));
        }
        string[] rooms = [.. Projects("src").Select(static p => Path.GetFileNameWithoutExtension(p)).Where(static n => n is not "Engine.Cli").Order(StringComparer.Ordinal)];
        Assert.True(rooms.SequenceEqual(ProjectReferences("src/Engine.Cli/Engine.Cli.csproj").Order(StringComparer.Ordinal), StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("ILGPU", "Engine.Gpu")]
    [InlineData("BenchmarkDotNet", "Engine.Bench")]
    public void A_package_stays_in_its_room(string package, string room)
    {
        string[] owners = [.. Projects("src").Concat(Projects("tests")).Concat(Projects("bench"))
            .Where(p => Packages(p).Any(id => id.StartsWith(package, StringComparison.Ordinal)))
            .Select(static p => Path.GetFileNameWithoutExtension(p))];
        Assert.Equal([room], owners);
        foreach (string project in Projects("src").Concat(Projects("tests")))
        {
            string folder = Path.GetDirectoryName(project)!;
            if (!$"{Path.GetFileName(folder)}.".StartsWith($"{room}.", StringComparison.Ordinal))
                Assert.All(Sources(folder), file => Assert.False(UsingOf(package).IsMatch(File.ReadAllText(file)), $"{file} uses {package}."));
        }
    }

    [Fact]
    public void What_others_compile_against_is_what_the_projects_say()
    {
        // Compiled references of whatever has been built: a reference that slipped in through a transitive package would show here.
        foreach (string room in (string[])["Cpu", "Gpu", "IO"])
        {
            string other = room is "Cpu" ? "KMeansFast.Gpu" : "KMeansFast.Cpu";
            foreach (string dll in Built(room))
            {
                Assert.All(ReferencesOf(dll), name => Assert.False(
                    name.Equals(other, StringComparison.Ordinal) || (room is not "Gpu" && name.StartsWith("ILGPU", StringComparison.Ordinal)), $"{dll} references {name}."));
            }
        }
    }

    [Theory]
    [InlineData("Engine.Abstractions")]
    [InlineData("Engine.Cpu")]
    [InlineData("Engine.Gpu")]
    public void Neither_console_nor_files_are_touched(string project) =>
        // What was tuned on a device outlives the process: one class keeps it. Memory for code is only to be had as a mapped file, of which there is none.
        Assert.All(Sources(Repository.Path("src", project)).Where(static file => Path.GetFileName(file) is not ("TuneCache.cs" or "MachineCode.cs")), static file =>
            Assert.False(ConsoleOrFile().IsMatch(WithoutComments(file)), $"{file} touches the console or the file system: {ConsoleOrFile().Match(WithoutComments(file)).Value}"));

    [Fact]
    public void There_is_one_parallel_loop()
    {
        string[] users = [.. Sources(Repository.Path("src")).Where(static file => ParallelLoop().IsMatch(WithoutComments(file))).Select(static file => Path.GetFileName(file))];
        // Over rows, that is; a sharded step has a thread for each device besides.
        Assert.Equal(["Chunks.cs", "ShardedStep.cs"], users.Order(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    [Fact]
    public void The_driver_knows_no_algorithm_and_no_backend()
    {
        string driver = WithoutComments(Repository.Path("src", "Engine.Abstractions", "Convergence", "KMeansDriver.cs"));
        Assert.DoesNotMatch("(?i)lloyd|hamerly|elkan|yinyang|backend|cpu|gpu|verif", driver);
    }

    private static IEnumerable<string> Projects(string folder) =>
        Directory.EnumerateFiles(Repository.Path(folder), "*.csproj", SearchOption.AllDirectories).Where(static p => !InBuildOutput(p));

    private static IEnumerable<string> Sources(string folder) =>
        Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Where(static p => !InBuildOutput(p));

    private static bool InBuildOutput(string path) =>
        Path.GetRelativePath(Repository.Root, path).Split('/', '\\').Any(static part => part is "bin" or "obj" or "artifacts");

    private static IEnumerable<string> Built(string room) =>
        Directory.Exists(Repository.Path("src", $"Engine.{room}", "bin"))
            ? Directory.EnumerateFiles(Repository.Path("src", $"Engine.{room}", "bin"), $"KMeansFast.{room}.dll", SearchOption.AllDirectories)
            : [];

    private static IEnumerable<string> ReferencesOf(string dll)
    {
        using FileStream stream = File.OpenRead(dll);
        using var reader = new PEReader(stream);
        MetadataReader metadata = reader.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
    }

    private static string[] ProjectReferences(string project) =>
        [.. Read(project).Descendants("ProjectReference").Select(static r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value))];

    // Packages of the project file and of every Directory.Build.props above it that names one for all.
    private static string[] Packages(string project) =>
        [.. Read(project).Descendants("PackageReference").Select(static r => r.Attribute("Include")!.Value)];

    private static XDocument Read(string project) => XDocument.Load(Path.IsPathRooted(project) ? project : Repository.Path(project));

    private static string WithoutComments(string file) => Comment().Replace(File.ReadAllText(file), "");

    private static Regex UsingOf(string package) => new($@"^\s*(global )?using (static )?{Regex.Escape(package)}\b", RegexOptions.Multiline | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));

    [GeneratedRegex(@"\bConsole\s*\.|\bSystem\.IO\b|(?<![.\w])File\s*\.|(?<![.\w])Directory\s*\.|\bFileStream\b|\bStream(Reader|Writer)\b", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex ConsoleOrFile();

    [GeneratedRegex(@"\bParallel\s*\.\s*(For|ForEach|ForAsync|ForEachAsync|Invoke)\b|\bAsParallel\b|\bnew Thread\b", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex ParallelLoop();

    [GeneratedRegex(@"//[^\n]*", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Comment();
}

using System.Text.RegularExpressions;
using KMeansFast.TestKit;

namespace KMeansFast.Cli.Tests.Docs;

/// <summary>Documents that go stale fail here.</summary>
public sealed partial class DocsTests
{
    private static string Root => Repository.Root;

    [Fact]
    public async Task The_readmes_programs_run() => await ReadmeSnippets.RunAsync();

    [Fact]
    public void The_readmes_programs_are_the_ones_that_run()
    {
        string[] compiled = Lines(File.ReadAllText(Path.Combine(Root, "tests/Engine.Cli.Tests/Docs/ReadmeSnippets.cs")));
        MatchCollection snippets = Snippet().Matches(File.ReadAllText(Path.Combine(Root, "README.md")));
        Assert.NotEmpty(snippets);
        foreach (Match snippet in snippets)
        {
            string[] lines = Lines(snippet.Groups["text"].Value);
            int found = Enumerable.Range(0, compiled.Length - lines.Length + 1).Count(i => compiled.AsSpan(i, lines.Length).SequenceEqual(lines));
            Assert.True(found == 1, $"This snippet is not in ReadmeSnippets.cs:{Environment.NewLine}{snippet.Groups["text"].Value}");
        }
    }

    [Fact]
    public void Every_catalog_entry_is_documented()
    {
        string[] rows = File.ReadAllLines(Path.Combine(Root, "docs/algorithms.md"));
        foreach (IInitializer initializer in Initializers.All)
        {
            // In a table a bar is escaped, in code as well.
            string name = initializer.Name.Replace("|", @"\|", StringComparison.Ordinal);
            Assert.Contains(rows, row => row.StartsWith($"| `{name}` |", StringComparison.Ordinal));
        }
        foreach (IBackend backend in Composition.Backends())
        {
            foreach (Algorithm algorithm in backend.Algorithms)
            {
                Assert.Contains(rows, row => row.Split('|') is [_, var backends, var names, ..]
                    && backends.Contains($"`{backend.Name}`", StringComparison.Ordinal) && names.Contains($"`{algorithm.Name}`", StringComparison.Ordinal));
            }
        }
    }

    [Fact]
    public void Every_link_between_documents_leads_somewhere()
    {
        string[] documents = [.. Directory.GetFiles(Root, "*.md"), .. Directory.GetFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories),
            .. Directory.GetFiles(Path.Combine(Root, "samples"), "*.md")];
        Assert.NotEmpty(documents);
        foreach (string document in documents)
        {
            foreach (Match link in Link().Matches(File.ReadAllText(document)))
            {
                string target = link.Groups["target"].Value;
                if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith('#'))
                    continue;
                string path = Path.Combine(Path.GetDirectoryName(document)!, target.Split('#')[0]);
                Assert.True(Path.Exists(path), $"{Path.GetRelativePath(Root, document)} links to {target}, which does not exist.");
            }
        }
    }

    // Using directives and blank lines do not count; indentation does not either.
    private static string[] Lines(string text) =>
        [.. text.Split('\n').Select(static line => line.Trim()).Where(static line => line.Length > 0 && !UsingDirective().IsMatch(line))];

    [GeneratedRegex(@"```csharp\n(?<text>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Snippet();

    [GeneratedRegex(@"^using [A-Za-z.]+;$", RegexOptions.None, 1000)]
    private static partial Regex UsingDirective();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();
}

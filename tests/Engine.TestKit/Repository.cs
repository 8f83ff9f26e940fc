namespace KMeansFast.TestKit;

/// <summary>Where the working tree is, for tests that read sources and fixtures.</summary>
public static class Repository
{
    /// <summary>The folder that holds <c>KMeansFast.sln</c>.</summary>
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "KMeansFast.sln")))
                return folder.FullName;
        }
        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds KMeansFast.sln.");
    }
}

using System.Text;

namespace KMeansFast.IO;

/// <summary>Text of a file as messages quote it: short, and without control characters.</summary>
internal static class Printable
{
    public static string Of(ReadOnlySpan<byte> utf8, int most) => Of(Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, 4 * most)]), most);

    public static string Of(string text, int most)
    {
        var shown = new StringBuilder("\"");
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, most)))
            shown.Append(char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c);
        return shown.Append(text.Length > most ? "…\"" : "\"").ToString();
    }
}

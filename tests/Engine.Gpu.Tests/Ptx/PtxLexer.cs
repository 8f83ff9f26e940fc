using System.Globalization;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>What a token is: a word (names, directives, opcodes with their modifiers), a number, a string or a punctuation mark.</summary>
internal enum PtxTokenKind
{
    Word,
    Integer,
    Float32,
    Float64,
    Text,
    Mark,
    End,
}

/// <summary>A token with its line, from 1.</summary>
internal readonly record struct PtxToken(PtxTokenKind Kind, string Text, ulong Bits, int Line);

/// <summary>Splits PTX text into tokens. A word takes its dots along, so that <c>ld.global.v4.f32</c> and <c>%tid.x</c> are one each.</summary>
internal static class PtxLexer
{
    public static List<PtxToken> Split(string text)
    {
        var tokens = new List<PtxToken>();
        int line = 1;
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            if (c == '\n')
            {
                line++;
                i++;
            }
            else if (char.IsWhiteSpace(c))
            {
                i++;
            }
            else if (text.AsSpan(i).StartsWith("//", StringComparison.Ordinal))
            {
                while (i < text.Length && text[i] != '\n')
                    i++;
            }
            else if (text.AsSpan(i).StartsWith("/*", StringComparison.Ordinal))
            {
                int end = text.IndexOf("*/", i + 2, StringComparison.Ordinal);
                if (end < 0)
                    throw new PtxException(line, "a comment has no end");
                line += text.AsSpan(i, end - i).Count('\n');
                i = end + 2;
            }
            else if (c == '"')
            {
                int end = text.IndexOf('"', i + 1);
                if (end < 0)
                    throw new PtxException(line, "a string has no end");
                tokens.Add(new PtxToken(PtxTokenKind.Text, text[(i + 1)..end], 0, line));
                i = end + 1;
            }
            else if (char.IsAsciiDigit(c))
            {
                int start = i;
                while (i < text.Length && (char.IsAsciiLetterOrDigit(text[i]) || text[i] == '.'))
                    i++;
                tokens.Add(Number(text[start..i], line));
            }
            else if (IsOfWord(c))
            {
                int start = i;
                while (i < text.Length && (IsOfWord(text[i]) || char.IsAsciiDigit(text[i]) || IsDoubleColon(text, i)))
                    i += text[i] == ':' ? 2 : 1;
                tokens.Add(new PtxToken(PtxTokenKind.Word, text[start..i], 0, line));
            }
            else if (",;:{}[]()<>@!|+-".Contains(c, StringComparison.Ordinal))
            {
                tokens.Add(new PtxToken(PtxTokenKind.Mark, c.ToString(), 0, line));
                i++;
            }
            else
            {
                throw new PtxException(line, $"unexpected character '{c}'");
            }
        }
        tokens.Add(new PtxToken(PtxTokenKind.End, "the end", 0, line));
        return tokens;
    }

    private static bool IsOfWord(char c) => char.IsAsciiLetter(c) || c is '_' or '$' or '%' or '.';

    private static bool IsDoubleColon(string text, int i) => text[i] == ':' && i + 1 < text.Length && text[i + 1] == ':';

    private static PtxToken Number(string text, int line)
    {
        ulong bits;
        if (text.StartsWith("0f", StringComparison.OrdinalIgnoreCase) && text.Length == 10 && TryHex(text[2..], out bits))
            return new PtxToken(PtxTokenKind.Float32, text, bits, line);
        if (text.StartsWith("0d", StringComparison.OrdinalIgnoreCase) && text.Length == 18 && TryHex(text[2..], out bits))
            return new PtxToken(PtxTokenKind.Float64, text, bits, line);
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && TryHex(text[2..].TrimEnd('U'), out bits))
            return new PtxToken(PtxTokenKind.Integer, text, bits, line);
        string digits = text.TrimEnd('U');
        // A leading zero would be octal, which nobody means.
        if ((digits.Length == 1 || digits[0] != '0') && ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out bits))
            return new PtxToken(PtxTokenKind.Integer, text, bits, line);
        if (text.Contains('.', StringComparison.Ordinal) && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value))
            return new PtxToken(PtxTokenKind.Float64, text, BitConverter.DoubleToUInt64Bits(value), line);
        throw new PtxException(line, $"'{text}' is not a number");
    }

    private static bool TryHex(string text, out ulong bits) => ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bits);
}

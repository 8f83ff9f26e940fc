using System.Globalization;
using System.Numerics;
using System.Text;

namespace KMeansFast.IO;

/// <summary>
/// The dictionary in the header of an <c>.npy</c> file. A strict parser of the one Python literal that numpy writes there:
/// <c>{'descr': '&lt;f4', 'fortran_order': False, 'shape': (3, 4), }</c>, keys in any order, each exactly once, and nothing else.
/// </summary>
/// <remarks>The format is numpy's NEP 1; <c>3L</c> is how Python 2 wrote 3.</remarks>
internal sealed class NpyHeader
{
    private readonly InputFile _file;
    private readonly string _text;
    private int _at;

    private NpyHeader(InputFile file, string text)
    {
        _file = file;
        _text = text;
    }

    public string Description { get; private set; } = "";
    public bool FortranOrder { get; private set; }
    public IReadOnlyList<BigInteger> Shape { get; private set; } = [];

    public static NpyHeader Parse(InputFile file, ReadOnlySpan<byte> bytes)
    {
        var header = new NpyHeader(file, Encoding.UTF8.GetString(bytes));
        header.ReadDictionary();
        return header;
    }

    private void ReadDictionary()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Expect('{');
        while (!Accept('}'))
        {
            string key = ReadString();
            if (!seen.Add(key))
                throw Malformed($"the key '{key}' comes twice");
            Expect(':');
            switch (key)
            {
                case "descr": Description = ReadDescription(); break;
                case "fortran_order": FortranOrder = ReadBoolean(); break;
                case "shape": Shape = ReadShape(); break;
                default: throw Malformed($"unknown key '{key}'");
            }
            if (!Accept(','))
            {
                Expect('}');
                break;
            }
        }
        if (_text.AsSpan(_at).Trim(" \n").Length > 0)
            throw Malformed("something follows the closing brace");
        foreach (string key in (ReadOnlySpan<string>)["descr", "fortran_order", "shape"])
        {
            if (!seen.Contains(key))
                throw Malformed($"the key '{key}' is missing");
        }
    }

    private string ReadDescription()
    {
        if (Peek() == '[')
            throw _file.Error("holds a structured array (records with named fields); expected an array of plain numbers.");
        return ReadString();
    }

    private bool ReadBoolean()
    {
        Peek();
        foreach ((string word, bool value) in (ReadOnlySpan<(string, bool)>)[("True", true), ("False", false)])
        {
            if (_text.AsSpan(_at).StartsWith(word, StringComparison.Ordinal))
            {
                _at += word.Length;
                return value;
            }
        }
        throw Malformed("expected True or False");
    }

    private List<BigInteger> ReadShape()
    {
        var shape = new List<BigInteger>();
        Expect('(');
        while (!Accept(')'))
        {
            shape.Add(ReadInteger());
            if (Accept(','))
                continue;
            // (3) is a number in Python, not a shape.
            if (shape.Count == 1)
                throw Malformed("expected a comma");
            Expect(')');
            break;
        }
        return shape;
    }

    private BigInteger ReadInteger()
    {
        Peek();
        int start = _at;
        if (_at < _text.Length && _text[_at] == '-')
            _at++;
        while (_at < _text.Length && char.IsAsciiDigit(_text[_at]))
            _at++;
        // Every length of an array fits 19 digits; more would only cost time.
        ReadOnlySpan<char> digits = _text.AsSpan(start, _at - start);
        if (digits.Length > 20 || !BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger value))
            throw Malformed("expected an integer");
        if (_at < _text.Length && _text[_at] == 'L')
            _at++;
        return value;
    }

    private string ReadString()
    {
        char quote = Peek();
        if (quote is not ('\'' or '"'))
            throw Malformed("expected a string");
        int end = _text.IndexOf(quote, _at + 1);
        if (end < 0)
            throw Malformed("a string is not closed");
        string value = _text[(_at + 1)..end];
        if (value.Contains('\\', StringComparison.Ordinal))
            throw Malformed("a string holds an escape");
        _at = end + 1;
        return value;
    }

    private char Peek()
    {
        while (_at < _text.Length && _text[_at] is (' ' or '\n'))
            _at++;
        return _at < _text.Length ? _text[_at] : '\0';
    }

    private bool Accept(char c)
    {
        if (Peek() != c || _at == _text.Length)
            return false;
        _at++;
        return true;
    }

    private void Expect(char c)
    {
        if (!Accept(c))
            throw Malformed($"expected '{c}'");
    }

    private PointFileException Malformed(string problem) =>
        _file.Error($"malformed .npy header: {problem} at character {_at} of {Printable.Of(_text.Trim(' ', '\n'), 120)}.");
}

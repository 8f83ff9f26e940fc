using System.Runtime.InteropServices;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Programs for the tests of the emulator: a body between declarations that all of them share.</summary>
internal static unsafe class PtxProgram
{
    /// <summary>Where the body finds things: %rd0 is the address of the results, %rd1 of the inputs, %r0 the thread and %r1 the group.</summary>
    public static string Text(string body, string variables = "") => $$"""
        .version 8.0
        .target sm_80
        .address_size 64
        .extern .shared .align 128 .b8 dynamic[];
        .visible .entry test(.param .u64 results, .param .u64 inputs)
        {
            {{variables}}
            .reg .pred %p<32>;
            .reg .b16 %h<32>;
            .reg .b32 %r<64>;
            .reg .b64 %rd<64>;
            .reg .f32 %f<64>;
            .reg .f64 %fd<64>;
            ld.param.u64 %rd0, [results];
            ld.param.u64 %rd1, [inputs];
            cvta.to.global.u64 %rd0, %rd0;
            cvta.to.global.u64 %rd1, %rd1;
            mov.u32 %r0, %tid.x;
            mov.u32 %r1, %ctaid.x;
        {{body}}
            ret;
        }
        """;

    /// <summary>Runs a body over arrays that it reads and writes by address.</summary>
    public static void Run<TResult, TInput>(
        string body, TResult[] results, TInput[] inputs, int threads = 32, int groups = 1, int shared = 0, PtxOptions? options = null, string variables = "")
        where TResult : unmanaged
        where TInput : unmanaged
    {
        var module = PtxModule.Parse(Text(body, variables));
        // Memory for vectors must be aligned, which arrays are not.
        TResult* to = Allocate<TResult>(results);
        TInput* from = Allocate<TInput>(inputs);
        try
        {
            PtxEmulator.Launch(module, options ?? new PtxOptions(), groups, threads, shared, (ulong)to, (ulong)from);
            new ReadOnlySpan<TResult>(to, results.Length).CopyTo(results);
        }
        finally
        {
            NativeMemory.AlignedFree(to);
            NativeMemory.AlignedFree(from);
        }
    }

    /// <summary>What each thread leaves in %r20, by its number.</summary>
    public static uint[] Each(string body, int threads = 32, int shared = 0, PtxOptions? options = null, string variables = "")
    {
        var results = new uint[threads];
        Run<uint, uint>(
            body + """

            mul.wide.u32 %rd63, %r0, 4;
            add.u64 %rd63, %rd0, %rd63;
            st.global.u32 [%rd63], %r20;
            """,
            results,
            [],
            threads,
            shared: shared,
            options: options,
            variables: variables);
        return results;
    }

    /// <summary>The message of the exception that a body causes, when it is read or when it runs.</summary>
    public static string Failure(string body, int threads = 32, int shared = 0, string variables = "", PtxOptions? options = null) =>
        Assert.Throws<PtxException>(() => Run(body, new ulong[1024], new ulong[1024], threads, shared: shared, options: options, variables: variables)).Message;

    private static T* Allocate<T>(T[] values) where T : unmanaged
    {
        var to = (T*)NativeMemory.AlignedAlloc((nuint)Math.Max(values.Length * sizeof(T), 128), 128);
        values.CopyTo(new Span<T>(to, values.Length));
        return to;
    }
}

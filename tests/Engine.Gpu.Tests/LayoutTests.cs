namespace KMeansFast.Gpu.Tests;

/// <summary>How rows are laid out on cards of every size, by the figures alone.</summary>
public sealed class LayoutTests
{
    private const long Gigabyte = 1 << 30;

    // As a step of 1000 clusters on a GPU: 24 bytes for each row, candidates for a batch of them, centroids and sums.
    private static Layout.NeedsOfStep StepOf(int dimensions) => rows => default(DeviceMemory.Needs)
        .With<int>(rows).With<int>(rows).With<UncertainRow>(rows).With<int>(10L * Math.Min(rows, 1 << 16)).With<long>(1500L * dimensions);

    [Fact]
    public void What_fits_is_resident_in_one_part() =>
        Assert.Equal(new Layout(100_000_000, 100_000_000, Streamed: false), Layout.Choose(100_000_000, 128, 60 * Gigabyte, long.MaxValue, StepOf(128), out _));

    [Fact]
    public void What_does_not_fit_one_buffer_is_resident_in_several()
    {
        // OpenCL devices allocate a quarter of their memory at once.
        Layout layout = Layout.Choose(10_000_000, 128, 8 * Gigabyte, 2 * Gigabyte, StepOf(128), out _)!;
        Assert.Equal((false, 3), (layout.Streamed, layout.Parts));
    }

    [Theory]
    [InlineData(200_000_000, 128, 60)]
    [InlineData(2_000_000_000, 96, 80)]
    [InlineData(1_000_000, 768, 1)]
    public void What_does_not_fit_is_streamed_in_few_parts_that_leave_room(int rows, int dimensions, long gigabytes)
    {
        long free = gigabytes * Gigabyte;
        Layout layout = Layout.Choose(rows, dimensions, free, long.MaxValue, StepOf(dimensions), out _)!;
        Assert.True(layout.Streamed, "It would be resident.");
        DeviceMemory.Needs needs = layout.Needs(dimensions, StepOf(dimensions));
        long values = 8L * layout.PartRows * dimensions;
        Assert.InRange(needs.Total, values, free);
        Assert.InRange(values, 0, (free - (needs.Total - values)) / 2);
        // Half as many parts would not leave that room.
        Assert.True(2 * values > (free - (needs.Total - values)) / 2, $"{layout.Parts} parts are more than needed.");
        Assert.Equal(rows, Enumerable.Range(0, layout.Parts).Sum(part => (long)layout.RowsOf(part)));
        Assert.All(Enumerable.Range(0, layout.Parts), part => Assert.InRange(layout.RowsOf(part), 1, layout.PartRows));
    }

    /// <summary>Where centroids are large, parts are dear: there is no room for a second step, and streaming does without.</summary>
    [Fact]
    public void What_fits_tightly_is_streamed_all_the_same()
    {
        Layout layout = Layout.Choose(50_000, 100_000, 16 * Gigabyte, long.MaxValue, StepOf(100_000), out _)!;
        Assert.Equal((true, 3), (layout.Streamed, layout.Parts));
        Assert.Null(Layout.Choose(50_000, 100_000, 8 * Gigabyte, long.MaxValue, StepOf(100_000), out _));
    }

    [Fact]
    public void Where_the_state_of_the_rows_alone_does_not_fit_there_is_no_layout()
    {
        Assert.Null(Layout.Choose(2_000_000_000, 2, 40 * Gigabyte, long.MaxValue, StepOf(2), out DeviceMemory.Needs least));
        Assert.InRange(least.Total, 40 * Gigabyte, 60 * Gigabyte);
        Assert.Null(Layout.Choose(100, 10, long.MaxValue, 16, StepOf(10), out least));
        Assert.True(least.LargestBuffer > 16);
    }

    [Fact]
    public void Every_row_is_in_one_part()
    {
        for (int rows = 1; rows <= 40; rows++)
        {
            for (long free = 100; free < 20_000; free += 100)
            {
                if (Layout.Choose(rows, 30, free, long.MaxValue, static n => default(DeviceMemory.Needs).With<int>(n).With<int>(3), out _) is not { } layout)
                    continue;
                int next = 0;
                for (int part = 0; part < layout.Parts; part++)
                {
                    Assert.Equal(next, layout.FirstRow(part));
                    Assert.InRange(layout.RowsOf(part), 1, layout.PartRows);
                    next += layout.RowsOf(part);
                }
                Assert.Equal(rows, next);
                Assert.InRange(layout.Needs(30, static n => default(DeviceMemory.Needs).With<int>(n).With<int>(3)).Total, 1, free);
            }
        }
    }

    [Theory]
    [InlineData(100, new long[] { 8, 8 }, new[] { 50, 50 })]
    [InlineData(101, new long[] { 80, 80, 80 }, new[] { 34, 33, 34 })]
    [InlineData(100, new long[] { 80, 20 }, new[] { 80, 20 })]
    [InlineData(100, new long[] { 80, 0 }, new[] { 50, 50 })]
    [InlineData(3, new long[] { 1, 1000, 1 }, new[] { 1, 1, 1 })]
    [InlineData(2, new long[] { 8, 8, 8 }, new[] { 1, 1 })]
    [InlineData(int.MaxValue, new long[] { 8, 8 }, new[] { 1_073_741_824, 1_073_741_823 })]
    public void Rows_are_split_by_memory(int rows, long[] memory, int[] expected) => Assert.Equal(expected, GpuBackend.Split(rows, memory));
}

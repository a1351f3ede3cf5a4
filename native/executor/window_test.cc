// Functions of windows, and what they stand on.
// Goal: every row gets the results of its frame, whether its partition is in memory or on disk. Method: against models that
// look at all rows of the partition for each row.
#include <algorithm>
#include <random>

#include "base/test.h"
#include "executor/operator_fixture.h"
#include "executor/partition_window.h"
#include "executor/window_rows.h"

namespace pgdata {
namespace {

using test::int4_type;
using test::int8_type;
using test::OperatorFixture;
using test::text_type;
using test::TextRow;

const std::vector<ValueType> types = {int4_type, int4_type, text_type};
constexpr ExecutionLimits little{32 << 10, 32 << 10};
constexpr ExecutionLimits much{64 << 20, 64 << 20};

// Rows of (partition, order, text), in order.
std::vector<TextRow> ordered_rows(size_t count, int partitions) {
  auto random = test::random_engine();
  std::vector<std::pair<int, int>> keys;
  for (size_t i = 0; i < count; i++)
    keys.emplace_back(random() % static_cast<unsigned>(partitions), random() % (count / 4 + 1));
  std::sort(keys.begin(), keys.end());
  std::vector<TextRow> rows;
  for (const auto& [partition, order] : keys) {
    std::optional<std::string> text;
    if (random() % 8 != 0)
      text = std::string(random() % 60, 'a' + static_cast<char>(random() % 26));
    rows.push_back({std::to_string(partition), std::to_string(order), text});
  }
  return rows;
}

WindowKeys keys_of(std::vector<size_t> columns) {
  WindowKeys keys;
  EXPECT_OK(WindowKeys::make(types, std::move(columns), &keys));
  return keys;
}

std::vector<WindowCall> some_calls(Execution& execution) {
  std::vector<WindowCall> calls(5);
  for (WindowCall& call : calls) call.result_type = int8_type;
  EXPECT_OK(make_aggregate(AggregateFunction::count_rows, int4_type, true, execution.block_bytes(),
                           &calls[0].aggregate));
  calls[1].argument = 1;
  EXPECT_OK(make_aggregate(AggregateFunction::sum, int4_type, true, execution.block_bytes(),
                           &calls[1].aggregate));
  calls[2].argument = 2;
  calls[2].result_type = text_type;
  EXPECT_OK(make_aggregate(AggregateFunction::max, text_type, true, execution.block_bytes(),
                           &calls[2].aggregate));
  calls[3].function = WindowFunction::nth_value;
  calls[3].argument = 2;
  calls[3].number = 2;
  calls[3].result_type = text_type;
  calls[4].function = WindowFunction::last_value;
  calls[4].argument = 1;
  calls[4].result_type = int4_type;
  return calls;
}
const std::vector<ValueType> some_types = {int4_type, int4_type, text_type, int8_type,
                                           int8_type, text_type, text_type, int4_type};

struct Model {
  const std::vector<TextRow>& rows;
  // Of the row's partition, and of its peers.
  size_t first = 0, end = 0, peers = 0, peers_end = 0;

  void look_at(size_t row) {
    const auto is_peer = [&](size_t other) {
      return rows[other][0] == rows[row][0] && rows[other][1] == rows[row][1];
    };
    for (first = row; first > 0 && rows[first - 1][0] == rows[row][0];) first--;
    for (end = row + 1; end < rows.size() && rows[end][0] == rows[row][0];) end++;
    for (peers = row; peers > first && is_peer(peers - 1);) peers--;
    for (peers_end = row + 1; peers_end < end && is_peer(peers_end);) peers_end++;
  }
  // What `some_calls` give of rows.
  TextRow of_rows(const std::vector<size_t>& frame) const {
    TextRow results(5);
    int64_t sum = 0;
    for (const size_t row : frame) {
      sum += std::stoll(*rows[row][1]);
      const auto& text = rows[row][2];
      if (text && (!results[2] || *text >= *results[2])) results[2] = text;
    }
    results[0] = std::to_string(frame.size());
    if (!frame.empty()) {
      results[1] = std::to_string(sum);
      results[4] = rows[frame.back()][1];
    }
    if (frame.size() > 1) results[3] = rows[frame[1]][2];
    return results;
  }
};

// `in_frame(model, row, other)`: is that row of the partition in the frame of `row`?
template <typename InFrame>
void expect_frame(const WindowFrame& frame, InFrame&& in_frame) {
  for (const ExecutionLimits& limits : {little, much}) {
    const std::vector<TextRow> rows = ordered_rows(1'500, 3);
    OperatorFixture fixture(limits);
    PartitionWindow window(
        fixture.execution(), std::make_unique<test::GivenRows>(fixture.execution(), types, rows),
        types, keys_of({0}), keys_of({1}), frame, some_calls(fixture.execution()));
    const std::vector<TextRow> given = fixture.run(window, some_types);
    ASSERT_EQ(given.size(), rows.size());
    std::vector<OperatorReport> reports;
    window.report(&reports);
    if (limits.work_mem_bytes == much.work_mem_bytes) EXPECT_EQ(reports[0].disk_bytes, uint64_t{0});
    EXPECT(reports[0].peak_bytes <= limits.work_mem_bytes);
    Model model{rows};
    for (size_t row = 0; row < rows.size(); row++) {
      model.look_at(row);
      std::vector<size_t> framed;
      for (size_t other = model.first; other < model.end; other++)
        if (in_frame(model, row, other)) framed.push_back(other);
      TextRow wanted = rows[row];
      const TextRow results = model.of_rows(framed);
      wanted.insert(wanted.end(), results.begin(), results.end());
      ASSERT(given[row] == wanted);
    }
  }
}

FrameBound away(FrameBoundKind kind, uint64_t count) { return {kind, count, count}; }

RangeOrder by_order() {
  RangeOrder order{1, int4_type, {}, false, false};
  EXPECT_OK(order_of_type(int4_type, true, &order.order));
  return order;
}

TEST(frames_of_rows) {
  for (const size_t count : {0, 1, 5, 2000}) {
    const WindowFrame frame{FrameMode::rows,
                            away(FrameBoundKind::preceding, count),
                            away(FrameBoundKind::following, 3),
                            FrameExclusion::none,
                            {}};
    expect_frame(frame, [&](const Model&, size_t row, size_t other) {
      return other + count >= row && other <= row + 3;
    });
  }
}

TEST(frames_that_do_not_have_their_row) {
  const WindowFrame before{FrameMode::rows,
                           away(FrameBoundKind::preceding, 9),
                           away(FrameBoundKind::preceding, 4),
                           FrameExclusion::none,
                           {}};
  expect_frame(before, [](const Model&, size_t row, size_t other) {
    return other + 9 >= row && other + 4 <= row;
  });
  const WindowFrame after{
      FrameMode::rows, away(FrameBoundKind::following, 2), {}, FrameExclusion::none, {}};
  expect_frame(after, [](const Model&, size_t row, size_t other) { return other >= row + 2; });
}

TEST(frames_of_groups) {
  const WindowFrame frame{FrameMode::groups,
                          away(FrameBoundKind::preceding, 1),
                          away(FrameBoundKind::following, 2),
                          FrameExclusion::none,
                          {}};
  expect_frame(frame, [](const Model& model, size_t row, size_t other) {
    // Groups between the two.
    size_t groups = 0;
    for (size_t at = std::min(row, other); at < std::max(row, other); at++)
      if (model.rows[at][1] != model.rows[at + 1][1] && ++groups > 2) return false;
    return groups <= (other < row ? 1u : 2u);
  });
}

TEST(frames_of_distances) {
  const WindowFrame frame{FrameMode::range, away(FrameBoundKind::preceding, 10),
                          away(FrameBoundKind::following, 3), FrameExclusion::none, by_order()};
  expect_frame(frame, [](const Model& model, size_t row, size_t other) {
    const int distance = std::stoi(*model.rows[other][1]) - std::stoi(*model.rows[row][1]);
    return distance >= -10 && distance <= 3;
  });
}

TEST(frames_without_some) {
  WindowFrame frame{FrameMode::rows,
                    away(FrameBoundKind::preceding, 6),
                    away(FrameBoundKind::following, 6),
                    FrameExclusion::current_row,
                    {}};
  const auto is_near = [](size_t row, size_t other) {
    return other + 6 >= row && other <= row + 6;
  };
  expect_frame(frame, [&](const Model&, size_t row, size_t other) {
    return is_near(row, other) && other != row;
  });
  frame.exclusion = FrameExclusion::group;
  expect_frame(frame, [&](const Model& model, size_t row, size_t other) {
    return is_near(row, other) && (other < model.peers || other >= model.peers_end);
  });
  frame.exclusion = FrameExclusion::ties;
  expect_frame(frame, [&](const Model& model, size_t row, size_t other) {
    return is_near(row, other) && (other == row || other < model.peers || other >= model.peers_end);
  });
}

TEST(places_in_a_partition) {
  for (const ExecutionLimits& limits : {little, much}) {
    const std::vector<TextRow> rows = ordered_rows(1'500, 2);
    OperatorFixture fixture(limits);
    std::vector<WindowCall> calls(6);
    const WindowFunction functions[] = {WindowFunction::row_number, WindowFunction::rank,
                                        WindowFunction::dense_rank, WindowFunction::ntile,
                                        WindowFunction::lag,        WindowFunction::lead};
    for (size_t i = 0; i < calls.size(); i++) {
      calls[i].function = functions[i];
      calls[i].result_type = i < 4 ? int8_type : int4_type;
    }
    calls[3].number = 7;
    calls[4].argument = calls[5].argument = 1;
    calls[4].number = 400;
    calls[4].fallback = 0;
    calls[5].number = 3;
    PartitionWindow window(fixture.execution(),
                           std::make_unique<test::GivenRows>(fixture.execution(), types, rows),
                           types, keys_of({0}), keys_of({1}), {}, std::move(calls));
    const std::vector<TextRow> given =
        fixture.run(window, {int4_type, int4_type, text_type, int8_type, int8_type, int8_type,
                             int8_type, int4_type, int4_type});
    ASSERT_EQ(given.size(), rows.size());
    Model model{rows};
    std::vector<size_t> parts(8);
    for (size_t row = 0; row < rows.size(); row++) {
      model.look_at(row);
      const TextRow& of = given[row];
      size_t groups = 1;
      for (size_t at = model.first; at < row; at++)
        if (rows[at][1] != rows[at + 1][1]) groups++;
      ASSERT_EQ(*of[3], std::to_string(row - model.first + 1));
      ASSERT_EQ(*of[4], std::to_string(model.peers - model.first + 1));
      ASSERT_EQ(*of[5], std::to_string(groups));
      if (row == model.first) std::fill(parts.begin(), parts.end(), 0);
      parts[std::stoul(*of[6])]++;
      ASSERT(of[7] == (row >= model.first + 400 ? rows[row - 400][1] : rows[row][0]));
      ASSERT(of[8] == (row + 3 < model.end ? rows[row + 3][1] : std::nullopt));
      if (row + 1 < model.end) continue;
      // Parts are as even as can be, and the larger ones come first.
      ASSERT_EQ(parts[0], size_t{0});
      ASSERT(std::is_sorted(parts.begin() + 1, parts.end(), std::greater<>()));
      ASSERT(parts[1] - parts[7] <= 1);
    }
  }
}

TEST(units) {
  for (const WindowUnit unit : {WindowUnit::row, WindowUnit::peers, WindowUnit::partition}) {
    for (const ExecutionLimits& limits : {little, much}) {
      const std::vector<TextRow> rows = ordered_rows(1'500, 2);
      OperatorFixture fixture(limits);
      WindowRows window(fixture.execution(),
                        std::make_unique<test::GivenRows>(fixture.execution(), types, rows), types,
                        keys_of({0}), keys_of({1}), unit, some_calls(fixture.execution()));
      const std::vector<TextRow> given = fixture.run(window, some_types);
      ASSERT_EQ(given.size(), rows.size());
      Model model{rows};
      for (size_t row = 0; row < rows.size(); row++) {
        model.look_at(row);
        const size_t end = unit == WindowUnit::row     ? row + 1
                           : unit == WindowUnit::peers ? model.peers_end
                                                       : model.end;
        std::vector<size_t> framed;
        for (size_t other = model.first; other < end; other++) framed.push_back(other);
        TextRow wanted = rows[row];
        const TextRow results = model.of_rows(framed);
        wanted.insert(wanted.end(), results.begin(), results.end());
        ASSERT(given[row] == wanted);
      }
    }
  }
}

TEST(no_rows_have_no_windows) {
  OperatorFixture fixture(much);
  PartitionWindow window(
      fixture.execution(),
      std::make_unique<test::GivenRows>(fixture.execution(), types, std::vector<TextRow>{}), types,
      keys_of({0}), keys_of({1}), {}, some_calls(fixture.execution()));
  EXPECT(fixture.run(window, some_types).empty());
}

TEST(rows_of_a_partition_are_read_from_memory_and_from_a_file) {
  auto random = test::random_engine();
  OperatorFixture fixture(much);
  MemoryAccount account;
  {
    PartitionRows kept(fixture.execution().temporary_space(), types, account, 64 << 10);
    PartitionRows::Reader first(kept, account);
    PartitionRows::Reader second(kept, account);
    for (int partition = 0; partition < 3; partition++) {
      std::vector<TextRow> rows = ordered_rows(6'000, 5);
      rows[10][2] = std::string(100'000, 'x');
      rows[5'990][2] = std::string(50'000, 'y');
      BatchStorage batch(account, types.size());
      const auto expect_row = [&](PartitionRows::Reader& reader, uint64_t row) {
        const std::byte* packed = nullptr;
        ASSERT_OK(reader.read(row, &packed));
        for (size_t i = 0; i < types.size(); i++) {
          ASSERT_EQ(kept.packer().is_null(packed, i), !rows[row][i].has_value());
          if (rows[row][i])
            ASSERT_EQ(test::text_of(kept.packer().value(packed, i), types[i]), *rows[row][i]);
        }
      };
      uint64_t trimmed = 0;
      for (size_t row = 0; row < rows.size(); row++) {
        batch.clear();
        for (size_t i = 0; i < types.size(); i++) {
          const auto& text = rows[row][i];
          batch.batch().columns[i].nulls[0] = text ? 0 : 1;
          batch.batch().columns[i].values[0] =
              text ? test::datum_of(*text, types[i], batch.arena()) : 0;
        }
        ASSERT_OK(kept.add(batch.batch().columns, 0));
        ASSERT_EQ(kept.rows(), uint64_t{row + 1});
        if (random() % 200 == 0) kept.trim(trimmed = trimmed + random() % (row - trimmed + 1));
        expect_row(first, trimmed + random() % (row - trimmed + 1));
        expect_row(second, std::max<uint64_t>(trimmed, row / 2));
      }
      if (partition == 0) EXPECT(kept.disk_bytes() > 0);
      kept.clear();
      EXPECT_EQ(fixture.file_count(), size_t{0});
    }
    // Nothing but the readers' chunks.
    EXPECT(account.held() <= 2 * 110'000);
  }
  EXPECT_EQ(account.held(), size_t{0});
}

TEST(what_overflows_is_beyond_every_value) {
  RangeOrder order = by_order();
  order.type = int8_type;
  EXPECT_OK(order_of_type(int8_type, true, &order.order));
  const auto is_in_range = [&](int64_t value, int64_t base, int64_t distance, bool subtracts,
                               bool less) {
    bool result = false;
    EXPECT_OK(order.is_in_range(static_cast<Datum>(value), static_cast<Datum>(base),
                                static_cast<Datum>(distance), subtracts, less, &result));
    return result;
  };
  EXPECT(is_in_range(5, 3, 2, false, true));
  EXPECT(!is_in_range(6, 3, 2, false, true));
  EXPECT(is_in_range(1, 3, 2, true, false));
  EXPECT(!is_in_range(0, 3, 2, true, false));
  EXPECT(is_in_range(INT64_MAX, INT64_MAX - 1, INT64_MAX, false, true));
  EXPECT(!is_in_range(INT64_MAX, INT64_MAX - 1, INT64_MAX, false, false));
  EXPECT(is_in_range(INT64_MIN, INT64_MIN + 1, INT64_MAX, true, false));
  EXPECT(!is_in_range(INT64_MIN, INT64_MIN + 1, INT64_MAX, true, true));
}

}  // namespace
}  // namespace pgdata

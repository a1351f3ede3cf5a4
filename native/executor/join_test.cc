// Joins that go through rows again and again, or test more than equality.
// Goal: nested loops, merge joins and filtered hash joins give what comparing all pairs of rows gives, for each type of join, with sides that
// are empty, and whatever memory there is; what they hold, in memory and in files, is given back. Method: against loops over
// plain vectors, with operators that give the rows of vectors.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "executor/hash_join.h"
#include "executor/materialize.h"
#include "executor/merge_join.h"
#include "executor/nested_loop.h"
#include "tuple/varlena.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

constexpr ValueType int4_type = {type_oid::int4, 4, true, invalid_oid, invalid_oid};
constexpr ValueType text_type = {type_oid::text, -1, false, 950, invalid_oid};
const std::vector<ValueType> row_types = {int4_type, text_type};
constexpr JoinType all_types[] = {JoinType::inner, JoinType::left, JoinType::right,
                                  JoinType::full,  JoinType::semi, JoinType::anti};
constexpr uint64_t little = 32 << 10;
constexpr uint64_t much = 64 << 20;

struct Row {
  std::optional<int32_t> number;
  std::string text;
};
using Rows = std::vector<Row>;
// The texts of both rows; of a row that there is none of "-".
using Pair = std::pair<std::string, std::string>;

Rows random_rows(size_t count, const std::string& prefix, uint64_t numbers) {
  auto random = test::random_engine();
  Rows rows;
  for (size_t i = 0; i < count; i++) {
    Row row{static_cast<int32_t>(random() % numbers), prefix + std::to_string(random() % 1000)};
    row.text.append("/").append(std::to_string(i));
    if (random() % 10 == 0) row.number.reset();
    rows.push_back(std::move(row));
  }
  return rows;
}

// Gives rows in batches of different sizes, and has a rest now and then.
class VectorRows final : public Operator {
 public:
  VectorRows(Execution& execution, const Rows& rows)
      : Operator(execution), rows_(rows), out_(account(), 2) {}
  bool can_rewind() const override { return true; }

 protected:
  Status restart() override {
    next_ = 0;
    return Status::ok;
  }
  Status produce(const Batch** batch, Progress* progress) override {
    out_.clear();
    *progress = Progress::paused;
    if (++calls_ % 5 == 0) return Status::ok;
    Batch& to = out_.batch();
    *batch = &to;
    const size_t count = calls_ % 3 == 0 ? 7 : batch_rows_wanted;
    for (; to.rows < count && next_ < rows_.size(); next_++, to.rows++) {
      const Row& row = rows_[next_];
      to.columns[0].nulls[to.rows] = row.number ? 0 : 1;
      to.columns[0].values[to.rows] = static_cast<Datum>(int64_t{row.number.value_or(0)});
      std::byte* text = out_.arena().allocate(VARHDRSZ + row.text.size());
      set_varlena_size_4b(text, static_cast<uint32_t>(VARHDRSZ + row.text.size()));
      std::memcpy(text + VARHDRSZ, row.text.data(), row.text.size());
      to.columns[1].nulls[to.rows] = 0;
      to.columns[1].values[to.rows] = pointer_datum(text);
    }
    *progress = to.rows > 0 ? Progress::rows : Progress::ended;
    return Status::ok;
  }

 private:
  const Rows& rows_;
  size_t next_ = 0;
  size_t calls_ = 0;
  BatchStorage out_;
};

struct Fixture {
  explicit Fixture(uint64_t memory_bytes)
      : space(cluster.storage(), cluster.state(), nullptr, nullptr),
        execution(ReadContext(cluster.pool(), cluster.transactions()), Snapshot(),
                  {.work_mem_bytes = memory_bytes, .hash_mem_bytes = memory_bytes}, space) {}

  size_t file_count() const {
    const std::filesystem::path directory = cluster.directory() + "/base/pgsql_tmp";
    if (!std::filesystem::exists(directory)) return 0;
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
  }
  OperatorPointer rows(const Rows& from) { return std::make_unique<VectorRows>(execution, from); }
  OperatorPointer kept(const Rows& from) {
    return std::make_unique<Materialize>(execution, rows(from), row_types);
  }

  TestCluster cluster;
  TemporarySpace space;
  Execution execution;
};

std::string text_of(const Column& column, uint32_t row) {
  return column.nulls[row] != 0 ? "-" : std::string(varlena_content(column.values[row]));
}

// All pairs that it gives.
std::vector<Pair> run(Execution& execution, Operator& root) {
  std::vector<Pair> pairs;
  for (;;) {
    execution.begin_call();
    const Batch* batch = nullptr;
    Progress progress = Progress::ended;
    EXPECT_OK(root.next(&batch, &progress));
    root.pause();
    if (progress == Progress::ended) break;
    if (progress == Progress::paused) continue;
    const bool has_right = batch->columns.size() > 2;
    for (uint32_t row = 0; row < batch->rows; row++)
      pairs.emplace_back(text_of(batch->columns[1], row),
                         has_right ? text_of(batch->columns[3], row) : "-");
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

template <typename Matches>
std::vector<Pair> expected(JoinType type, const Rows& left, const Rows& right, Matches&& matches) {
  std::vector<Pair> pairs;
  std::vector<bool> is_right_matched(right.size());
  for (const Row& one : left) {
    bool is_matched = false;
    for (size_t i = 0; i < right.size(); i++) {
      if (!matches(one, right[i])) continue;
      if (gives_right_columns(type)) pairs.emplace_back(one.text, right[i].text);
      is_right_matched[i] = is_matched = true;
    }
    const bool keeps_left =
        type == JoinType::left || type == JoinType::full || type == JoinType::anti;
    if (is_matched ? type == JoinType::semi : keeps_left) pairs.emplace_back(one.text, "-");
  }
  for (size_t i = 0; i < right.size(); i++) {
    const bool keeps_right = type == JoinType::right || type == JoinType::full;
    if (keeps_right && !is_right_matched[i]) pairs.emplace_back("-", right[i].text);
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

ExpressionPointer compared(Execution& execution, Comparison op, size_t left, size_t right) {
  ExpressionPointer made;
  const ValueType& type = row_types[left];
  EXPECT_OK(make_comparison(op, make_column(type, left), make_column(type, 2 + right), true,
                            execution.memory, &made));
  return made;
}

bool is_equal(const Row& left, const Row& right) {
  return left.number && right.number && *left.number == *right.number;
}
bool is_less(const Row& left, const Row& right) {
  return left.number && right.number && *left.number < *right.number;
}

LoopPlan loop_plan(Execution& execution, JoinType type, Comparison op) {
  LoopPlan plan;
  plan.type = type;
  plan.left_types = row_types;
  plan.right_types = row_types;
  plan.conditions.push_back(compared(execution, op, 0, 0));
  plan.tested_columns = {0};
  return plan;
}

bool can_loop(JoinType type) { return type != JoinType::right && type != JoinType::full; }

void expect_loops(size_t left_count, size_t right_count, uint64_t memory_bytes, bool is_kept) {
  const Rows left = random_rows(left_count, "l", 60);
  const Rows right = random_rows(right_count, "r", 60);
  for (const JoinType type : all_types) {
    if (!can_loop(type)) continue;
    for (const bool is_equality : {true, false}) {
      Fixture fixture(memory_bytes);
      const Comparison op = is_equality ? Comparison::equal : Comparison::less;
      {
        const OperatorPointer join = NestedLoop::create(
            fixture.execution, loop_plan(fixture.execution, type, op), fixture.rows(left),
            is_kept ? fixture.kept(right) : fixture.rows(right));
        ASSERT(run(fixture.execution, *join) ==
               expected(type, left, right, is_equality ? is_equal : is_less));
        std::vector<OperatorReport> reports;
        join->report(&reports);
        if (is_kept && left_count > 0 && right_count >= 3000)
          EXPECT_EQ(reports[2].disk_bytes > 0, memory_bytes == little);
        if (is_kept) EXPECT(reports[2].peak_bytes <= memory_bytes);
        if (left_count > 0) EXPECT_EQ(reports[2].counters.loops, uint64_t{left_count});
      }
      EXPECT_EQ(fixture.execution.memory.held(), size_t{0});
      EXPECT_EQ(fixture.file_count(), size_t{0});
    }
  }
}

TEST(loops_over_rows_that_are_kept) { expect_loops(60, 3000, much, true); }
TEST(loops_over_rows_that_are_on_disk) { expect_loops(60, 3000, little, true); }
TEST(loops_over_rows_that_are_read_again) { expect_loops(60, 3000, much, false); }
TEST(loops_over_few_rows) { expect_loops(3000, 3, little, true); }
TEST(loops_with_an_empty_side) {
  expect_loops(0, 1000, little, true);
  expect_loops(1000, 0, little, true);
  expect_loops(0, 0, little, true);
}

TEST(a_loop_without_conditions_gives_all_pairs) {
  const Rows left = random_rows(70, "l", 10);
  const Rows right = random_rows(2500, "r", 10);
  for (const uint64_t memory_bytes : {little, much}) {
    Fixture fixture(memory_bytes);
    LoopPlan plan;
    plan.left_types = row_types;
    plan.right_types = row_types;
    const OperatorPointer join = NestedLoop::create(fixture.execution, std::move(plan),
                                                    fixture.rows(left), fixture.kept(right));
    ASSERT(run(fixture.execution, *join) ==
           expected(JoinType::inner, left, right, [](const Row&, const Row&) { return true; }));
  }
}

TEST(a_loop_takes_the_first_partner_where_there_is_one_at_most) {
  const Rows left = random_rows(400, "l", 3000);
  Rows right = random_rows(2000, "r", 10);
  for (size_t i = 0; i < right.size(); i++) right[i].number = static_cast<int32_t>(i);
  for (const JoinType type : {JoinType::inner, JoinType::left}) {
    Fixture fixture(little);
    LoopPlan plan = loop_plan(fixture.execution, type, Comparison::equal);
    plan.takes_first = true;
    const OperatorPointer join = NestedLoop::create(fixture.execution, std::move(plan),
                                                    fixture.rows(left), fixture.kept(right));
    ASSERT(run(fixture.execution, *join) == expected(type, left, right, is_equal));
  }
}

TEST(what_a_loop_holds_is_gone_when_it_is_left) {
  const Rows left = random_rows(100, "l", 10);
  const Rows right = random_rows(5000, "r", 10);
  Fixture fixture(little);
  {
    const OperatorPointer join = NestedLoop::create(
        fixture.execution, loop_plan(fixture.execution, JoinType::inner, Comparison::equal),
        fixture.rows(left), fixture.kept(right));
    while (fixture.file_count() == 0) {
      fixture.execution.begin_call();
      const Batch* batch = nullptr;
      Progress progress = Progress::ended;
      ASSERT_OK(join->next(&batch, &progress));
      ASSERT(progress != Progress::ended);
    }
  }
  EXPECT_EQ(fixture.file_count(), size_t{0});
  EXPECT_EQ(fixture.execution.memory.held(), size_t{0});
}

void expect_filtered(size_t left_count, size_t right_count, uint64_t memory_bytes) {
  const Rows left = random_rows(left_count, "x", 40);
  const Rows right = random_rows(right_count, "x", 40);
  for (const JoinType type : all_types) {
    Fixture fixture(memory_bytes);
    {
      std::vector<JoinKey> keys(1);
      keys[0] = {make_column(int4_type, 0), make_column(int4_type, 0)};
      std::vector<ExpressionPointer> conditions;
      conditions.push_back(compared(fixture.execution, Comparison::less, 1, 1));
      OperatorPointer join;
      ASSERT_OK(HashJoin::create(fixture.execution, type, fixture.rows(left), fixture.rows(right),
                                 row_types, row_types, std::move(keys), std::move(conditions),
                                 &join));
      const auto matches = [](const Row& one, const Row& other) {
        return is_equal(one, other) && one.text < other.text;
      };
      ASSERT(run(fixture.execution, *join) == expected(type, left, right, matches));
    }
    EXPECT_EQ(fixture.execution.memory.held(), size_t{0});
    EXPECT_EQ(fixture.file_count(), size_t{0});
  }
}

TEST(hash_joins_with_conditions) { expect_filtered(900, 3000, much); }
TEST(hash_joins_with_conditions_on_disk) { expect_filtered(900, 3000, little); }
TEST(hash_joins_with_conditions_and_an_empty_side) {
  expect_filtered(0, 500, little);
  expect_filtered(500, 0, little);
}

// In the order of their numbers, nulls at one end.
Rows ordered(Rows rows, bool nulls_first) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& left, const Row& right) {
    if (!left.number || !right.number)
      return left.number.has_value() != right.number.has_value() &&
             left.number.has_value() != nulls_first;
    return *left.number < *right.number;
  });
  return rows;
}

void expect_merges(size_t left_count, size_t right_count, uint64_t numbers, uint64_t memory_bytes) {
  for (const JoinType type : all_types) {
    for (const bool is_filtered : {false, true}) {
      const Rows left = ordered(random_rows(left_count, "x", numbers), is_filtered);
      const Rows right = ordered(random_rows(right_count, "x", numbers), !is_filtered);
      Fixture fixture(memory_bytes);
      {
        MergePlan plan;
        plan.type = type;
        plan.left_types = row_types;
        plan.right_types = row_types;
        plan.keys.push_back({make_column(int4_type, 0), make_column(int4_type, 0)});
        plan.orders.resize(1);
        EXPECT_OK(order_of_type(int4_type, true, &plan.orders[0]));
        if (is_filtered)
          plan.conditions.push_back(compared(fixture.execution, Comparison::less, 1, 1));
        MergeJoin join(fixture.execution, std::move(plan), fixture.rows(left), fixture.rows(right));
        const auto matches = [&](const Row& one, const Row& other) {
          return is_equal(one, other) && (!is_filtered || one.text < other.text);
        };
        ASSERT(run(fixture.execution, join) == expected(type, left, right, matches));
        std::vector<OperatorReport> reports;
        join.report(&reports);
        const bool is_on_disk = numbers == 3 && memory_bytes == little && left_count > 0;
        EXPECT_EQ(reports[0].disk_bytes > 0, is_on_disk);
        EXPECT(reports[0].peak_bytes <= memory_bytes);
      }
      EXPECT_EQ(fixture.execution.memory.held(), size_t{0});
      EXPECT_EQ(fixture.file_count(), size_t{0});
    }
  }
}

TEST(merge_joins) { expect_merges(900, 3000, 400, much); }
TEST(merge_joins_of_many_equal_keys) { expect_merges(90, 3000, 3, much); }
TEST(merge_joins_of_many_equal_keys_on_disk) { expect_merges(90, 6000, 3, little); }
TEST(merge_joins_with_an_empty_side) {
  expect_merges(0, 500, 40, little);
  expect_merges(500, 0, 40, little);
  expect_merges(0, 0, 40, little);
}

}  // namespace
}  // namespace pgdata

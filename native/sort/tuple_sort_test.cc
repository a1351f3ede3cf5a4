// Goal: whatever comes, in whatever memory, leaves in the order that std::stable_sort gives it; within the limits of memory
// and of temporary files, and without leaving one.
// Method: random tuples of many shapes against a model; a file system that fails at each of its operations in turn.
#include "sort/tuple_sort.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/test.h"
#include "file/faulty_file_system.h"

namespace pgdata {
namespace {

// A tuple is its arrival number, a second key, and a filling that depends on both.
struct TestTuple {
  LeadingKey key;
  uint8_t tag = 0;
  std::vector<std::byte> bytes;

  uint32_t second() const { return second_of({bytes.data(), 0}); }
  static uint32_t second_of(TupleView tuple) {
    uint32_t second = 0;
    std::memcpy(&second, tuple.bytes + 4, 4);
    return second;
  }
};

class SecondKeyOrder final : public TupleOrder {
 public:
  int compare(TupleView left, TupleView right) override {
    ++calls;
    is_aligned = is_aligned && reinterpret_cast<uintptr_t>(left.bytes) % 8 == 0 &&
                 reinterpret_cast<uintptr_t>(right.bytes) % 8 == 0;
    const uint32_t a = TestTuple::second_of(left);
    const uint32_t b = TestTuple::second_of(right);
    return a < b ? -1 : a > b ? 1 : 0;
  }
  bool are_equal(LeadingKey key) const override { return key.bits >= equal_from; }
  uint64_t calls = 0;
  uint64_t equal_from = UINT64_MAX;
  bool is_aligned = true;
};

struct Shape {
  uint32_t count = 1000;
  uint64_t keys = 1u << 20;  // different leading keys
  uint32_t seconds = 10;
  uint32_t extra_bytes_max = 40;
  bool has_nulls = false;
};

std::vector<TestTuple> random_tuples(std::mt19937_64& random, const Shape& shape) {
  std::vector<TestTuple> tuples(shape.count);
  for (uint32_t i = 0; i < shape.count; i++) {
    TestTuple& tuple = tuples[i];
    // Spread over all bytes of the key.
    tuple.key.bits = random() % shape.keys * 0x9E3779B97F4A7C15u;
    if (shape.has_nulls && random() % 4 == 0) tuple.key = {0, 1};
    tuple.tag = static_cast<uint8_t>(random() % (TupleSort::tag_max + 1));
    tuple.bytes.resize(8 + random() % (shape.extra_bytes_max + 1), static_cast<std::byte>(i));
    const auto second = static_cast<uint32_t>(random() % shape.seconds);
    std::memcpy(tuple.bytes.data(), &i, 4);
    std::memcpy(tuple.bytes.data() + 4, &second, 4);
  }
  return tuples;
}

struct SortFixture {
  SortFixture() {
    for (const char* directory : {"/d", "/d/base"}) must(files.make_directory(directory));
    StorageOptions options;
    options.data_directory = "/d";
    storage = std::make_unique<Storage>(files, options);
    space = std::make_unique<TemporarySpace>(*storage, state, nullptr, nullptr);
  }
  static void must(const Status& status) {
    if (!status.is_ok()) test::report_failure(__FILE__, __LINE__, status.report().message);
  }
  size_t files_left() {
    std::vector<std::string> found;
    (void)files.list("/d/base/pgsql_tmp", &found);
    return found.size();
  }

  FaultyFileSystem files;
  ClusterState state;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<TemporarySpace> space;
};

Status add_all(TupleSort& sort, const std::vector<TestTuple>& tuples) {
  for (const TestTuple& tuple : tuples)
    RETURN_IF_ERROR(sort.add(tuple.key, tuple.bytes.data(),
                             static_cast<uint32_t>(tuple.bytes.size()), tuple.tag));
  return Status::ok;
}

Status finish(TupleSort& sort, uint64_t step = 1000) {
  for (bool done = false; !done;) RETURN_IF_ERROR(sort.sort(step, &done));
  return Status::ok;
}

// Reads all, and counts those that are not what the model has at their place.
Status read_all(TupleSort& sort, const std::vector<const TestTuple*>& model, size_t* wrong) {
  *wrong = 0;
  for (size_t i = 0;; i++) {
    SortedTuple sorted;
    bool found = false;
    RETURN_IF_ERROR(sort.next(&sorted, &found));
    if (!found) {
      *wrong += model.size() - std::min(i, model.size());
      break;
    }
    if (i >= model.size()) {
      ++*wrong;
      continue;
    }
    const TestTuple& tuple = *model[i];
    const bool is_right =
        sorted.key == tuple.key && sorted.tag == tuple.tag &&
        sorted.tuple.size == tuple.bytes.size() &&
        std::memcmp(sorted.tuple.bytes, tuple.bytes.data(), tuple.bytes.size()) == 0;
    if (!is_right) ++*wrong;
  }
  SortedTuple beyond;
  bool found = true;
  RETURN_IF_ERROR(sort.next(&beyond, &found));
  if (found) ++*wrong;
  return Status::ok;
}

std::vector<const TestTuple*> sorted_model(const std::vector<TestTuple>& tuples, bool by_second,
                                           uint64_t wanted = 0) {
  std::vector<const TestTuple*> model;
  for (const TestTuple& tuple : tuples) model.push_back(&tuple);
  std::stable_sort(model.begin(), model.end(), [&](const TestTuple* a, const TestTuple* b) {
    if (!(a->key == b->key)) return a->key < b->key;
    return by_second && a->second() < b->second();
  });
  if (wanted > 0 && wanted < model.size()) model.resize(wanted);
  return model;
}

}  // namespace

TEST(random_tuples_come_in_order_in_any_memory) {
  std::mt19937_64 random = test::random_engine();
  const Shape shapes[] = {
      {.count = 0},
      {.count = 1},
      {.count = 500},
      {.count = 5000, .keys = 3, .has_nulls = true},
      {.count = 5000, .keys = 1, .seconds = 5000},
      {.count = 20000, .keys = 1000, .has_nulls = true},
      {.count = 300, .extra_bytes_max = 9000},
      {.count = 200, .keys = 50, .extra_bytes_max = 100000},
  };
  for (const Shape& shape : shapes) {
    for (const uint64_t memory : {uint64_t{0}, uint64_t{512} << 10}) {
      for (const bool has_order : {true, false}) {
        SortFixture fixture;
        const std::vector<TestTuple> tuples = random_tuples(random, shape);
        SecondKeyOrder order;
        {
          TupleSort sort(*fixture.space, has_order ? &order : nullptr, {.memory_bytes = memory});
          ASSERT_OK(add_all(sort, tuples));
          ASSERT_OK(finish(sort));
          size_t wrong = 0;
          ASSERT_OK(read_all(sort, sorted_model(tuples, has_order), &wrong));
          EXPECT_EQ(wrong, 0);
          const SortReport report = sort.report();
          EXPECT_EQ(report.tuples, shape.count);
          EXPECT_EQ(report.is_on_disk, report.runs > 0);
          EXPECT_EQ(fixture.files_left() > 0, report.is_on_disk);
        }
        EXPECT(order.is_aligned);
        EXPECT_EQ(fixture.files_left(), 0);
        EXPECT_EQ(fixture.space->bytes(), 0);
      }
    }
  }
}

TEST(memory_stays_within_the_limit) {
  std::mt19937_64 random = test::random_engine();
  for (const uint32_t extra : {uint32_t{8}, uint32_t{60}, uint32_t{2000}}) {
    for (const uint64_t memory : {uint64_t{64} << 10, uint64_t{256} << 10}) {
      SortFixture fixture;
      // Some four times what fits.
      const auto count = static_cast<uint32_t>(memory * 4 / (extra / 2 + 50));
      const std::vector<TestTuple> tuples =
          random_tuples(random, {.count = count, .keys = 500, .extra_bytes_max = extra});
      SecondKeyOrder order;
      TupleSort sort(*fixture.space, &order, {.memory_bytes = memory});
      ASSERT_OK(add_all(sort, tuples));
      ASSERT_OK(finish(sort));
      const SortReport report = sort.report();
      EXPECT(report.runs > 2);
      // Beside the current tuple of each tape, and what knows of it.
      EXPECT(report.memory_peak_bytes <= memory + 40 * (extra + 400));
      EXPECT(report.memory_peak_bytes > memory / 2);
    }
  }
}

TEST(room_on_tapes_is_used_again) {
  std::mt19937_64 random = test::random_engine();
  SortFixture fixture;
  const std::vector<TestTuple> tuples = random_tuples(random, {.count = 70000});
  uint64_t bytes = 0;
  for (const TestTuple& tuple : tuples) bytes += tuple.bytes.size() + TapedTuple::header_bytes;
  TupleSort sort(*fixture.space, nullptr, {});
  TupleSort small(*fixture.space, nullptr, {.memory_bytes = 64 << 10});
  ASSERT_OK(add_all(small, tuples));
  ASSERT_OK(finish(small));
  // Each byte is written three times.
  EXPECT(small.report().runs > 49);
  EXPECT(small.report().method == SortMethod::external_merge);
  EXPECT(small.report().space_kb * 1024 < bytes + bytes / 2);
  EXPECT_EQ(fixture.space->bytes() / 1024, small.report().space_kb);
  size_t wrong = 0;
  ASSERT_OK(read_all(small, sorted_model(tuples, false), &wrong));
  EXPECT_EQ(wrong, 0);
}

TEST(only_the_first_ones_are_kept_when_others_are_not_wanted) {
  std::mt19937_64 random = test::random_engine();
  for (const uint64_t wanted : {1, 10, 1000, 5000, 20000}) {
    for (const int arrangement : {0, 1, 2}) {
      SortFixture fixture;
      std::vector<TestTuple> tuples = random_tuples(random, {.count = 10000, .keys = 2000});
      const auto by_key = [](const TestTuple& a, const TestTuple& b) { return a.key < b.key; };
      if (arrangement == 1) std::stable_sort(tuples.begin(), tuples.end(), by_key);
      if (arrangement == 2) std::stable_sort(tuples.rbegin(), tuples.rend(), by_key);
      SecondKeyOrder order;
      TupleSort sort(*fixture.space, &order, {.memory_bytes = 256 << 10, .tuples_wanted = wanted});
      ASSERT_OK(add_all(sort, tuples));
      ASSERT_OK(finish(sort));
      size_t wrong = 0;
      ASSERT_OK(read_all(sort, sorted_model(tuples, true, wanted), &wrong));
      EXPECT_EQ(wrong, 0);
      const SortReport report = sort.report();
      if (wanted <= 1000) {
        EXPECT(report.method == SortMethod::top_n);
        EXPECT_EQ(report.space_kb, (report.memory_peak_bytes + 1023) / 1024);
      } else {
        EXPECT(report.is_on_disk);
      }
      EXPECT(report.memory_peak_bytes <= 256 << 10);
    }
  }
}

TEST(a_sort_that_is_rewound_gives_the_same_again) {
  std::mt19937_64 random = test::random_engine();
  for (const uint32_t count : {uint32_t{100}, uint32_t{1000}, uint32_t{10000}}) {
    SortFixture fixture;
    const std::vector<TestTuple> tuples = random_tuples(random, {.count = count, .keys = 100});
    SecondKeyOrder order;
    TupleSort sort(*fixture.space, &order, {.memory_bytes = 100000, .rewinds = true});
    ASSERT_OK(add_all(sort, tuples));
    ASSERT_OK(finish(sort, 77));
    const std::vector<const TestTuple*> model = sorted_model(tuples, true);
    for (int i = 0; i < 3; i++) {
      size_t wrong = 0;
      ASSERT_OK(read_all(sort, model, &wrong));
      EXPECT_EQ(wrong, 0);
      ASSERT_OK(sort.rewind());
      SortedTuple first;
      bool found = false;
      ASSERT_OK(sort.next(&first, &found));
      ASSERT_OK(sort.rewind());
    }
    EXPECT(sort.report().method ==
           (count > 1000 ? SortMethod::external_sort : SortMethod::quicksort));
  }
}

TEST(names_and_sizes_are_those_that_explain_shows) {
  SortFixture fixture;
  TupleSort sort(*fixture.space, nullptr, {});
  const uint64_t word = 5;
  ASSERT_OK(sort.add({1}, &word, sizeof(word)));
  ASSERT_OK(finish(sort));
  const SortReport report = sort.report();
  EXPECT_EQ(std::string(name_of(report.method)), "quicksort");
  EXPECT(!report.is_on_disk);
  EXPECT(report.space_kb >= 8 && report.space_kb < 16);
  EXPECT_EQ(std::string(name_of(SortMethod::top_n)), "top-N heapsort");
  EXPECT_EQ(std::string(name_of(SortMethod::external_sort)), "external sort");
  EXPECT_EQ(std::string(name_of(SortMethod::external_merge)), "external merge");
}

TEST(ties_need_no_order_where_keys_say_everything) {
  std::mt19937_64 random = test::random_engine();
  for (const uint64_t memory : {uint64_t{64} << 10, uint64_t{16} << 20}) {
    SortFixture fixture;
    const std::vector<TestTuple> tuples = random_tuples(random, {.count = 5000, .keys = 5});
    SecondKeyOrder order;
    TupleSort sort(*fixture.space, &order, {.memory_bytes = memory});
    order.equal_from = 0;
    ASSERT_OK(add_all(sort, tuples));
    ASSERT_OK(finish(sort));
    size_t wrong = 0;
    ASSERT_OK(read_all(sort, sorted_model(tuples, false), &wrong));
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(order.calls, 0);
  }
}

TEST(each_error_of_the_disk_ends_it_and_leaves_no_file) {
  std::mt19937_64 random = test::random_engine();
  const std::vector<TestTuple> tuples = random_tuples(random, {.count = 6000, .keys = 5000});
  const std::vector<const TestTuple*> model = sorted_model(tuples, false);
  const auto run = [&](SortFixture& fixture, size_t* wrong) -> Status {
    TupleSort sort(*fixture.space, nullptr, {.memory_bytes = 64 << 10});
    RETURN_IF_ERROR(add_all(sort, tuples));
    RETURN_IF_ERROR(finish(sort));
    return read_all(sort, model, wrong);
  };
  uint64_t first = 0;
  uint64_t last = 0;
  {
    SortFixture fixture;
    first = fixture.files.step();
    size_t wrong = 0;
    ASSERT_OK(run(fixture, &wrong));
    EXPECT_EQ(wrong, 0);
    last = fixture.files.step();
  }
  EXPECT(last - first > 50);
  for (const Fault fault : {Fault::io_error, Fault::no_space, Fault::short_write}) {
    int failed = 0;
    for (uint64_t step = first; step < last; step += 1 + step % 5) {
      SortFixture fixture;
      fixture.files.fail(step, fault);
      size_t wrong = 0;
      const Status status = run(fixture, &wrong);
      EXPECT_EQ(wrong, 0);
      if (!status.is_ok()) {
        ++failed;
        EXPECT_EQ(status.code(),
                  fault == Fault::io_error ? ErrorCode::io_error : ErrorCode::disk_full);
        EXPECT_EQ(fixture.files_left(), 0);
      }
      EXPECT_EQ(fixture.space->bytes(), 0);
    }
    EXPECT(failed > 5);
  }
}

TEST(no_more_than_temp_file_limit_is_written) {
  std::mt19937_64 random = test::random_engine();
  const std::vector<TestTuple> tuples = random_tuples(random, {.count = 15000});
  SortFixture fixture;
  TemporaryLimits limits;
  limits.temp_file_limit_bytes = 500 << 10;
  fixture.space->set_limits(limits);
  {
    TupleSort sort(*fixture.space, nullptr, {.memory_bytes = 64 << 10});
    EXPECT_EQ(add_all(sort, tuples).code(), ErrorCode::configuration_limit_exceeded);
  }
  EXPECT_EQ(fixture.files_left(), 0);
  TupleSort other(*fixture.space, nullptr, {.memory_bytes = 8 << 20});
  ASSERT_OK(add_all(other, tuples));
  ASSERT_OK(finish(other));
}

TEST(it_ends_when_it_is_canceled) {
  std::mt19937_64 random = test::random_engine();
  const std::vector<TestTuple> tuples = random_tuples(random, {.count = 10000});
  for (const int moment : {0, 1, 2}) {
    SortFixture fixture;
    std::atomic<bool> canceled{false};
    TupleSort sort(*fixture.space, nullptr, {.memory_bytes = 64 << 10, .canceled = &canceled});
    if (moment == 0) {
      canceled = true;
      EXPECT_EQ(add_all(sort, tuples).code(), ErrorCode::query_canceled);
      continue;
    }
    ASSERT_OK(add_all(sort, tuples));
    bool done = false;
    ASSERT_OK(sort.sort(2000, &done));
    EXPECT(!done);
    if (moment == 1) {
      canceled = true;
      EXPECT_EQ(finish(sort).code(), ErrorCode::query_canceled);
      continue;
    }
    ASSERT_OK(finish(sort));
    canceled = true;
    size_t wrong = 0;
    EXPECT_EQ(read_all(sort, {}, &wrong).code(), ErrorCode::query_canceled);
  }
}

TEST(tuples_are_gone_with_the_transaction) {
  std::mt19937_64 random = test::random_engine();
  const std::vector<TestTuple> tuples = random_tuples(random, {.count = 20000});
  SortFixture fixture;
  TupleSort sort(*fixture.space, nullptr, {.memory_bytes = 64 << 10});
  ASSERT_OK(add_all(sort, tuples));
  EXPECT(fixture.files_left() > 0);
  fixture.space->end_transaction();
  EXPECT_EQ(fixture.files_left(), 0);
  EXPECT_EQ(finish(sort).code(), ErrorCode::invalid_transaction_state);
}

}  // namespace pgdata

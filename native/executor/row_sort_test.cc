// RowSort: rows come in the order of their keys, whatever the number of runs, and the first of them when no more are wanted.
#include "executor/row_sort.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/test.h"
#include "tuple/varlena.h"

namespace pgdata {
namespace {

constexpr ValueType int4_type = {type_oid::int4, 4, true, invalid_oid, invalid_oid};
constexpr ValueType text_type = {type_oid::text, -1, false, 950, invalid_oid};

struct Row {
  bool is_null;
  int32_t number;
  std::string text;
};

// By number descending with nulls first, then by text.
bool before(const Row& left, const Row& right) {
  if (left.is_null != right.is_null) return left.is_null;
  if (!left.is_null && left.number != right.number) return left.number > right.number;
  return left.text < right.text;
}

std::vector<SortKey> keys() {
  std::vector<SortKey> made(2);
  made[0].column = 0;
  EXPECT_OK(order_of_type(int4_type, true, &made[0].order));
  made[0].order.descending = true;
  made[0].order.nulls_first = true;
  made[1].column = 1;
  EXPECT_OK(order_of_type(text_type, true, &made[1].order));
  return made;
}

void add_all(RowSort& sort, const std::vector<Row>& rows, MemoryAccount& account) {
  BatchStorage storage(account, 2);
  for (size_t from = 0; from < rows.size(); from += batch_rows_max) {
    storage.clear();
    Batch& batch = storage.batch();
    for (size_t i = from; i < std::min(rows.size(), from + batch_rows_max); i++) {
      const Row& row = rows[i];
      batch.columns[0].nulls[batch.rows] = row.is_null ? 1 : 0;
      batch.columns[0].values[batch.rows] = static_cast<Datum>(int64_t{row.number});
      std::byte* text = storage.arena().allocate(VARHDRSZ + row.text.size());
      set_varlena_size_4b(text, static_cast<uint32_t>(VARHDRSZ + row.text.size()));
      std::memcpy(text + VARHDRSZ, row.text.data(), row.text.size());
      batch.columns[1].nulls[batch.rows] = 0;
      batch.columns[1].values[batch.rows] = pointer_datum(text);
      batch.rows++;
    }
    sort.add(batch);
  }
  sort.finish();
}

void expect_sorted(size_t count, uint64_t wanted) {
  auto random = test::random_engine();
  std::vector<Row> rows;
  for (size_t i = 0; i < count; i++) {
    rows.push_back({random() % 10 == 0, static_cast<int32_t>(random() % 100) - 50,
                    std::to_string(random() % 1000)});
  }
  MemoryAccount account;
  {
    RowSort sort({int4_type, text_type}, keys(), wanted, account);
    add_all(sort, rows, account);
    std::stable_sort(rows.begin(), rows.end(), before);
    const size_t given = wanted == 0 ? count : std::min<size_t>(count, wanted);
    for (size_t i = 0; i < given; i++) {
      const std::byte* packed = sort.next();
      ASSERT(packed != nullptr);
      ASSERT_EQ(sort.packer().is_null(packed, 0), rows[i].is_null);
      if (!rows[i].is_null)
        ASSERT_EQ(static_cast<int32_t>(sort.packer().value(packed, 0)), rows[i].number);
      ASSERT_EQ(std::string(varlena_content(sort.packer().value(packed, 1))), rows[i].text);
    }
    if (wanted == 0) EXPECT(sort.next() == nullptr);
    EXPECT_EQ(sort.is_bounded(), wanted != 0 && count > wanted);
  }
  EXPECT_EQ(account.held(), size_t{0});
}

TEST(no_rows) { expect_sorted(0, 0); }
TEST(one_run) { expect_sorted(5000, 0); }
TEST(many_runs) { expect_sorted(100'000, 0); }
TEST(the_first_rows_alone) {
  for (const uint64_t wanted : {1, 7, 2000}) expect_sorted(30'000, wanted);
}
TEST(more_wanted_than_there_are) { expect_sorted(100, 2000); }

}  // namespace
}  // namespace pgdata

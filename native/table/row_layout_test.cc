// Goal: rows written into a batch are read back as they were, and nothing that JavaScript may put into a staged
// batch makes the reader look outside it. Method: random rows both ways, small buffers, damaged headers and offsets.
#include "table/row_layout.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/test.h"

namespace pgdata {
namespace {

const std::vector<Lane> lanes = {Lane::width8, Lane::text, Lane::width2, Lane::bytes, Lane::text};

struct Row {
  bool nulls[5] = {};
  int64_t number = 0;
  std::string first;
  int16_t small = 0;
  std::string raw;
  std::string second;
};

std::string random_bytes(std::mt19937_64& random, size_t most) {
  std::string bytes(random() % (most + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>('a' + random() % 26);
  return bytes;
}

Row random_row(std::mt19937_64& random) {
  Row row;
  for (bool& null : row.nulls) null = random() % 5 == 0;
  row.number = static_cast<int64_t>(random());
  row.first = random_bytes(random, 20);
  row.small = static_cast<int16_t>(random());
  row.raw = random_bytes(random, 30);
  row.second = random_bytes(random, 10);
  return row;
}

CellBytes cell_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), static_cast<uint32_t>(text.size())};
}

bool write_row(const RowLayout& layout, const Row& row, RowWriter* writer) {
  writer->begin_row();
  for (const RowColumn& column : layout.columns()) {
    if (row.nulls[column.attribute]) {
      writer->put_null(column);
      continue;
    }
    switch (column.attribute) {
      case 0:
        writer->put_fixed(column, static_cast<Datum>(row.number));
        break;
      case 1:
        writer->put_bytes(column, cell_of(row.first));
        break;
      case 2:
        writer->put_fixed(column, static_cast<Datum>(static_cast<int64_t>(row.small)));
        break;
      case 3:
        writer->put_bytes(column, cell_of(row.raw));
        break;
      default:
        writer->put_bytes(column, cell_of(row.second));
        break;
    }
  }
  return writer->end_row();
}

std::string text_of(CellBytes cell) {
  return {reinterpret_cast<const char*>(cell.bytes), cell.size};
}

TEST(rows_come_back_as_they_were_written) {
  std::mt19937_64 random = test::random_engine();
  const RowLayout layout(lanes, {0, 1, 2, 3, 4}, 50, false);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::byte> buffer(layout.heap() + random() % 3000);
    RowWriter writer(layout, buffer.data(), buffer.size());
    std::vector<Row> rows;
    while (!writer.is_full()) {
      const Row row = random_row(random);
      if (!write_row(layout, row, &writer)) break;
      rows.push_back(row);
    }
    writer.finish(false);
    const RowReader reader(layout, buffer.data(), buffer.size());
    ASSERT_OK(reader.check());
    ASSERT_EQ(reader.rows(), static_cast<uint32_t>(rows.size()));
    RowReader::TextCursor cursor;
    for (uint32_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      const auto& columns = layout.columns();
      for (int c = 0; c < 5; ++c)
        EXPECT_EQ(reader.is_null(columns[static_cast<size_t>(c)], i), row.nulls[c]);
      if (!row.nulls[0]) EXPECT_EQ(static_cast<int64_t>(reader.fixed(columns[0], i)), row.number);
      const std::string first = text_of(reader.text(columns[1], i, &cursor));
      EXPECT(first == (row.nulls[1] ? std::string() : row.first));
      if (!row.nulls[2]) EXPECT_EQ(static_cast<int64_t>(reader.fixed(columns[2], i)), row.small);
      if (!row.nulls[3]) EXPECT(text_of(reader.bytes(columns[3], i)) == row.raw);
      const std::string second = text_of(reader.text(columns[4], i, &cursor));
      EXPECT(second == (row.nulls[4] ? std::string() : row.second));
    }
  }
}

TEST(columns_of_several_rows_are_as_those_of_single_rows) {
  std::mt19937_64 random = test::random_engine();
  for (const Lane lane : {Lane::width1, Lane::width2, Lane::width4, Lane::width8}) {
    const RowLayout layout({lane}, {0}, 30, true);
    std::vector<std::byte> buffers[2] = {std::vector<std::byte>(layout.heap()),
                                         std::vector<std::byte>(layout.heap())};
    RowWriter one(layout, buffers[0].data(), buffers[0].size());
    RowWriter several(layout, buffers[1].data(), buffers[1].size());
    while (!several.is_full()) {
      const uint32_t count = std::min<uint32_t>(several.rows_left(), random() % 8);
      Datum values[8];
      uint8_t nulls[8];
      const RowColumn& column = layout.columns()[0];
      for (uint32_t i = 0; i < count; ++i) {
        values[i] = random();
        nulls[i] = random() % 4 == 0 ? 1 : 0;
        if (nulls[i] != 0) values[i] = 0;
        const ItemPointer tid(BlockNumber{one.rows()}, 5);
        one.begin_row();
        if (nulls[i] != 0)
          one.put_null(column);
        else
          one.put_fixed(column, values[i]);
        one.put_tid(tid);
        ASSERT(one.end_row());
        several.put_tid_of(i, tid);
      }
      several.put_fixed_of(column, {values, nulls}, count);
      several.end_rows(count);
    }
    one.finish(true);
    several.finish(true);
    EXPECT(buffers[0] == buffers[1]);
  }
}

TEST(a_batch_has_no_more_rows_than_are_wanted) {
  std::mt19937_64 random = test::random_engine();
  const RowLayout layout(lanes, {0, 1, 2, 3, 4}, 50, false);
  std::vector<std::byte> buffer(layout.heap() + 100000);
  for (const uint32_t wanted : {1u, 7u, 50u, 51u, UINT32_MAX}) {
    RowWriter writer(layout, buffer.data(), buffer.size(), wanted);
    const uint32_t most = std::min(wanted, layout.capacity());
    for (uint32_t i = 0; i < most; ++i) {
      EXPECT_EQ(writer.rows_left(), most - i);
      ASSERT(!writer.is_full());
      ASSERT(write_row(layout, random_row(random), &writer));
    }
    EXPECT(writer.is_full());
    writer.finish(wanted == 7);
    EXPECT_EQ(writer.has_ended(), wanted == 7);
    EXPECT_EQ(RowReader(layout, buffer.data(), buffer.size()).rows(), most);
  }
}

TEST(a_staged_batch_of_any_bytes_is_refused_or_read_inside) {
  std::mt19937_64 random = test::random_engine();
  const RowLayout layout(lanes, {1, 3, 4}, 20, false);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    // Of its exact size, so that the sanitizer sees a step outside.
    std::vector<std::byte> buffer(layout.heap() + random() % 200);
    RowWriter writer(layout, buffer.data(), buffer.size());
    while (!writer.is_full() && write_row(layout, random_row(random), &writer)) {
    }
    writer.finish(false);
    for (int change = 0; change < 3; ++change)
      buffer[random() % buffer.size()] = static_cast<std::byte>(random());
    const RowReader reader(layout, buffer.data(), buffer.size());
    if (!reader.check().is_ok()) {
      refused++;
      continue;
    }
    RowReader::TextCursor cursor;
    size_t seen = 0;
    for (uint32_t row = 0; row < reader.rows(); ++row) {
      for (const RowColumn& column : layout.columns()) {
        if (column.lane == Lane::text)
          seen += text_of(reader.text(column, row, &cursor)).size();
        else if (!reader.is_null(column, row))
          seen += text_of(reader.bytes(column, row)).size();
      }
    }
    EXPECT(seen <= size_t{20} * 3 * buffer.size());
  }
  EXPECT(refused > 0);
}

}  // namespace
}  // namespace pgdata

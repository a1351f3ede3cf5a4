// Goal: a page holds what was put on it, laid out as PostgreSQL would lay it out,
// and bytes from disk are never trusted.
// Method: known answers from PostgreSQL 18.4 (pageinspect's page_checksum), then
// seeded random operations against a plain model, and damaged pages.
#include "page/page.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/test.h"

namespace pgdata {

namespace {

class PageBuffer {
 public:
  explicit PageBuffer(uint32_t size = 8192) : bytes_(size / 8), size_(size) {}
  Page page() { return Page(reinterpret_cast<std::byte*>(bytes_.data()), size_); }

 private:
  std::vector<uint64_t> bytes_;
  uint32_t size_;
};

// The checksum as its definition reads, without vectors.
uint16_t plain_checksum(const Page& page, uint32_t block) {
  static constexpr uint32_t start[32] = {
      0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2,
      0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C,
      0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979,
      0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E,
      0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};
  uint32_t result = block;
  for (uint32_t lane = 0; lane < 32; lane++) {
    uint32_t sum = start[lane];
    for (uint32_t row = 0; row < page.size() / 128 + 2; row++) {
      const uint32_t at = row * 128 + lane * 4;
      uint32_t word = at < page.size() ? load<uint32_t>(page.bytes() + at) : 0;
      if (at == 8) word &= 0xFFFF0000u;
      sum ^= word;
      sum = (sum * 16777619u) ^ (sum >> 17);
    }
    result ^= sum;
  }
  return static_cast<uint16_t>(result % 65535 + 1);
}

std::string random_item(std::mt19937_64& random, size_t length_max) {
  std::string item(8 + random() % (length_max - 7), '\0');
  for (char& letter : item) letter = static_cast<char>('a' + random() % 26);
  return item;
}

const std::byte* bytes_of(const std::string& item) {
  return reinterpret_cast<const std::byte*>(item.data());
}

std::string item_of(const Page& page, OffsetNumber offset) {
  const LinePointer pointer = page.line_pointer(offset);
  return std::string(reinterpret_cast<const char*>(page.item(pointer)), pointer.lp_len());
}

void expect_items(const Page& page, const std::vector<std::string>& items) {
  EXPECT_EQ(page.max_offset(), items.size());
  if (page.max_offset() != items.size()) return;
  for (size_t i = 0; i < items.size(); i++)
    EXPECT_EQ(item_of(page, static_cast<OffsetNumber>(i + 1)), items[i]);
  EXPECT_OK(page.verify_items(BlockNumber{0}, "model"));
}

size_t stored_bytes(const std::vector<std::string>& items) {
  size_t total = 0;
  for (const std::string& item : items) total += max_align(item.size());
  return total;
}

}  // namespace

TEST(page_checksum_equals_postgres) {
  PageBuffer buffer;
  for (uint32_t i = 0; i < 8192; i++)
    buffer.page().bytes()[i] = static_cast<std::byte>((i * 131 + i / 256) & 255);
  EXPECT_EQ(page_checksum(buffer.page().bytes(), 8192, BlockNumber{0}), 27218);
  EXPECT_EQ(page_checksum(buffer.page().bytes(), 8192, BlockNumber{1}), 27219);
  EXPECT_EQ(page_checksum(buffer.page().bytes(), 8192, BlockNumber{7}), 27221);
  EXPECT_EQ(page_checksum(buffer.page().bytes(), 8192, BlockNumber{131072}), 27216);
}

TEST(page_checksum_equals_its_definition_for_every_block_size) {
  std::mt19937_64 random = test::random_engine();
  for (uint32_t size = block_size_min; size <= block_size_max; size *= 2) {
    PageBuffer buffer(size);
    const Page page = buffer.page();
    for (uint32_t i = 0; i < size; i += 8) store<uint64_t>(page.bytes() + i, random());
    const auto block = static_cast<uint32_t>(random());
    const uint16_t checksum = page_checksum(page.bytes(), size, BlockNumber{block});
    EXPECT_EQ(checksum, plain_checksum(page, block));
    EXPECT_NE(checksum, 0);
    page.header().pd_checksum = static_cast<uint16_t>(~page.header().pd_checksum);
    EXPECT_EQ(page_checksum(page.bytes(), size, BlockNumber{block}), checksum);
  }
}

TEST(initialized_page_is_empty) {
  for (uint32_t size = block_size_min; size <= block_size_max; size *= 2) {
    PageBuffer buffer(size);
    const Page page = buffer.page();
    EXPECT(page.is_new());
    page.initialize(13);
    EXPECT(!page.is_new());
    EXPECT_EQ(page.header().pd_lower, 24);
    EXPECT_EQ(page.header().pd_upper, size - 16);
    EXPECT_EQ(page.header().pd_special, size - 16);
    EXPECT_EQ(page.header().pd_pagesize_version, size | 4);
    EXPECT_EQ(page.special_size(), 16);
    EXPECT_EQ(page.max_offset(), 0);
    EXPECT_EQ(page.exact_free_bytes(), size - 40);
    EXPECT_EQ(page.free_bytes(), size - 44);
    EXPECT_OK(page.verify_items(BlockNumber{0}, "x"));
  }
}

TEST(heap_page_takes_no_more_line_pointers_than_fit_tuples) {
  PageBuffer buffer;
  const Page page = buffer.page();
  page.initialize(0);
  EXPECT_EQ(items_per_page_max(8192), 291);
  const std::string item(8, 'x');
  for (int i = 1; i <= 291; i++) EXPECT_EQ(page.add_item(bytes_of(item), 8, 0, true), i);
  EXPECT_EQ(page.add_item(bytes_of(item), 8, 0, true), invalid_offset_number);
  EXPECT_EQ(page.heap_free_bytes(), 0);
  EXPECT(page.free_bytes() > 0);
  page.line_pointer(17) = LinePointer();
  EXPECT_EQ(page.heap_free_bytes(), 0);  // Nothing says that there is one.
  page.header().pd_flags |= PD_HAS_FREE_LINES;
  EXPECT_EQ(page.heap_free_bytes(), page.free_bytes());
  EXPECT_EQ(page.add_item(bytes_of(item), 8, 0, true), 17);
  EXPECT_EQ(page.add_item(bytes_of(item), 8, 0, true), invalid_offset_number);
  EXPECT_EQ(page.header().pd_flags & PD_HAS_FREE_LINES, 0);  // The hint was wrong.
}

TEST(full_page_refuses_an_item_and_stays_as_it_was) {
  PageBuffer buffer(1024);
  const Page page = buffer.page();
  page.initialize(0);
  const std::string item(1024 - 24 - 4, 'x');
  EXPECT_EQ(page.add_item(bytes_of(item), 997, 0, false), invalid_offset_number);
  EXPECT_EQ(page.add_item(bytes_of(item), 992, 0, false), 1);
  EXPECT_EQ(page.exact_free_bytes(), 4);
  EXPECT_EQ(page.add_item(bytes_of(item), 1, 0, false), invalid_offset_number);
  EXPECT_EQ(page.max_offset(), 1);
}

TEST(overwriting_add_takes_only_unused_line_pointers) {
  PageBuffer buffer;
  const Page page = buffer.page();
  page.initialize(0);
  const std::string item(24, 'x');
  EXPECT_EQ(page.add_item_overwrite(bytes_of(item), 24, 2), invalid_offset_number);
  EXPECT_EQ(page.add_item_overwrite(bytes_of(item), 24, 1), 1);
  EXPECT_EQ(page.add_item_overwrite(bytes_of(item), 24, 1), invalid_offset_number);
  EXPECT_EQ(page.add_item_overwrite(bytes_of(item), 24, 2), 2);
  page.line_pointer(1) = LinePointer();
  EXPECT_EQ(page.add_item_overwrite(bytes_of(item), 20, 1), 1);
  EXPECT_EQ(page.line_pointer(1).lp_len(), 20);
  EXPECT_EQ(page.max_offset(), 2);
}

TEST(index_page_follows_its_model) {
  std::mt19937_64 random = test::random_engine();
  for (uint32_t size : {1024u, 8192u, 32768u}) {
    PageBuffer buffer(size);
    const Page page = buffer.page();
    page.initialize(16);
    std::vector<std::string> model;
    for (int step = 0; step < 3000; step++) {
      const uint64_t choice = random() % 10;
      if (choice < 5 || model.empty()) {
        const std::string item = random_item(random, 100);
        const size_t place = random() % (model.size() + 1);
        const uint32_t free = page.exact_free_bytes();
        const OffsetNumber offset =
            page.add_item(bytes_of(item), static_cast<uint32_t>(item.size()),
                          static_cast<OffsetNumber>(place + 1), false);
        EXPECT_EQ(offset != invalid_offset_number, max_align(item.size()) + 4 <= free);
        if (offset == invalid_offset_number) continue;
        EXPECT_EQ(offset, place + 1);
        model.insert(model.begin() + static_cast<std::ptrdiff_t>(place), item);
      } else if (choice < 7) {
        const size_t place = random() % model.size();
        page.delete_item(static_cast<OffsetNumber>(place + 1));
        model.erase(model.begin() + static_cast<std::ptrdiff_t>(place));
      } else if (choice < 9) {
        const size_t place = random() % model.size();
        const std::string item = random_item(random, 100);
        const uint32_t room =
            page.exact_free_bytes() + static_cast<uint32_t>(max_align(model[place].size()));
        const bool fits = page.overwrite_item(static_cast<OffsetNumber>(place + 1), bytes_of(item),
                                              static_cast<uint32_t>(item.size()));
        EXPECT_EQ(fits, max_align(item.size()) <= room);
        if (fits) model[place] = item;
      } else {
        std::vector<OffsetNumber> doomed;
        std::vector<std::string> rest;
        for (size_t i = 0; i < model.size(); i++) {
          if (random() % 4 == 0) {
            doomed.push_back(static_cast<OffsetNumber>(i + 1));
          } else {
            rest.push_back(model[i]);
          }
        }
        page.delete_items(doomed.data(), static_cast<int>(doomed.size()));
        model = std::move(rest);
        // More than two: all items lie in the order of their line pointers.
        uint32_t end = page.header().pd_special;
        for (size_t i = 0; doomed.size() > 2 && i < model.size(); i++) {
          end -= static_cast<uint32_t>(max_align(model[i].size()));
          EXPECT_EQ(page.line_pointer(static_cast<OffsetNumber>(i + 1)).lp_off(), end);
        }
      }
      EXPECT_EQ(page.exact_free_bytes(), size - 16 - 24 - 4 * model.size() - stored_bytes(model));
      if (step % 16 == 0) expect_items(page, model);
    }
    expect_items(page, model);
  }
}

TEST(deleting_every_item_empties_the_page) {
  PageBuffer buffer;
  const Page page = buffer.page();
  page.initialize(16);
  const std::string item(40, 'x');
  std::vector<OffsetNumber> all;
  for (OffsetNumber offset = 1; offset <= 20; offset++) {
    EXPECT_EQ(page.add_item(bytes_of(item), 40, offset, false), offset);
    all.push_back(offset);
  }
  page.delete_items(all.data(), 20);
  EXPECT_EQ(page.max_offset(), 0);
  EXPECT_EQ(page.header().pd_upper, 8192 - 16);
}

TEST(repair_closes_gaps_and_keeps_line_pointers) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 200; round++) {
    PageBuffer buffer(round % 2 == 0 ? 8192 : 1024);
    const Page page = buffer.page();
    page.initialize(0);
    std::vector<std::string> model;
    for (int cycle = 0; cycle < 5; cycle++) {
      // Fill, recycling unused line pointers, then kill some and repair.
      while (true) {
        const std::string item = random_item(random, 120);
        const OffsetNumber offset =
            page.add_item(bytes_of(item), static_cast<uint32_t>(item.size()), 0, true);
        if (offset == invalid_offset_number) break;
        if (offset > model.size()) model.resize(offset);
        EXPECT(model[offset - 1u].empty());
        model[offset - 1u] = item;
      }
      for (size_t i = 0; i < model.size(); i++) {
        const auto offset = static_cast<OffsetNumber>(i + 1);
        if (random() % 3 != 0) continue;
        model[i].clear();
        // Now and then a dead line pointer or a redirection stays.
        page.line_pointer(offset) =
            random() % 8 == 0 ? LinePointer(0, LinePointerFlags::LP_DEAD, 0) : LinePointer();
      }
      page.repair_fragmentation();
      while (!model.empty() && model.size() > page.max_offset()) {
        EXPECT(model.back().empty());
        model.pop_back();
      }
      bool has_unused = false;
      for (size_t i = 0; i < model.size(); i++) {
        const auto offset = static_cast<OffsetNumber>(i + 1);
        if (!page.line_pointer(offset).is_used()) has_unused = true;
        if (!model[i].empty()) EXPECT_EQ(item_of(page, offset), model[i]);
        if (page.line_pointer(offset).is_dead()) page.line_pointer(offset) = LinePointer();
      }
      EXPECT_EQ((page.header().pd_flags & PD_HAS_FREE_LINES) != 0, has_unused);
      page.header().pd_flags |= PD_HAS_FREE_LINES;
      EXPECT(page.max_offset() == 0 || model.size() == page.max_offset());
      EXPECT_EQ(page.exact_free_bytes(),
                page.size() - 24 - 4u * page.max_offset() - stored_bytes(model));
      EXPECT_OK(page.verify_items(BlockNumber{0}, "model"));
    }
  }
}

TEST(truncation_keeps_the_first_line_pointer) {
  PageBuffer buffer;
  const Page page = buffer.page();
  page.initialize(0);
  const std::string item(40, 'x');
  for (OffsetNumber i = 1; i <= 6; i++) EXPECT_EQ(page.add_item(bytes_of(item), 40, 0, true), i);
  for (OffsetNumber i : std::vector<OffsetNumber>{2, 5, 6}) page.line_pointer(i) = LinePointer();
  page.truncate_line_pointers();
  EXPECT_EQ(page.max_offset(), 4);
  EXPECT_NE(page.header().pd_flags & PD_HAS_FREE_LINES, 0);
  for (OffsetNumber i : std::vector<OffsetNumber>{1, 3, 4}) page.line_pointer(i) = LinePointer();
  page.truncate_line_pointers();
  EXPECT_EQ(page.max_offset(), 1);
  EXPECT_NE(page.header().pd_flags & PD_HAS_FREE_LINES, 0);
}

TEST(verify_takes_good_and_zeroed_pages) {
  PageBuffer buffer;
  const Page page = buffer.page();
  EXPECT_OK(verify_page(page.bytes(), 8192, BlockNumber{3}, true, "base/1/2"));
  page.initialize(16);
  page.header().pd_checksum = page_checksum(page.bytes(), 8192, BlockNumber{3});
  EXPECT_OK(verify_page(page.bytes(), 8192, BlockNumber{3}, true, "base/1/2"));
  const Status moved = verify_page(page.bytes(), 8192, BlockNumber{4}, true, "base/1/2");
  ASSERT(!moved.is_ok());
  EXPECT_EQ(moved.code(), ErrorCode::data_corrupted);
  EXPECT_EQ(moved.report().message,
            std::string("invalid page in block 4 of relation \"base/1/2\""));
  EXPECT(moved.report().detail.find("checksum") != std::string::npos);
  EXPECT_OK(verify_page(page.bytes(), 8192, BlockNumber{4}, false, "base/1/2"));
}

TEST(verify_refuses_damaged_headers) {
  PageBuffer buffer;
  const Page page = buffer.page();
  const auto refuses = [&] {
    return verify_page(page.bytes(), 8192, BlockNumber{0}, false, "x").code() ==
           ErrorCode::data_corrupted;
  };
  page.bytes()[8191] = std::byte{1};  // A new page that is not zeroed.
  EXPECT(refuses());
  page.initialize(16);
  EXPECT(!refuses());
  page.header().pd_flags = 8;
  EXPECT(refuses());
  page.initialize(16);
  page.header().pd_lower = 20;
  EXPECT(refuses());
  page.initialize(16);
  page.header().pd_lower = 8184;
  EXPECT(refuses());
  page.initialize(16);
  page.header().pd_upper = 8184;
  EXPECT(refuses());
  page.initialize(16);
  page.header().pd_special = 8200;
  EXPECT(refuses());
  page.initialize(16);
  page.header().pd_special = 8180;
  EXPECT(refuses());
}

TEST(verify_items_refuses_what_does_not_fit_together) {
  PageBuffer buffer;
  const Page page = buffer.page();
  const std::string item(40, 'x');
  const auto refuses = [&](LinePointer second) {
    page.initialize(16);
    page.add_item(bytes_of(item), 40, 0, false);
    page.add_item(bytes_of(item), 40, 0, false);
    const uint32_t off = page.line_pointer(2).lp_off();
    page.line_pointer(2) = LinePointer(second.lp_off() == 0 ? off : second.lp_off(),
                                       second.lp_flags(), second.lp_len());
    return page.verify_items(BlockNumber{0}, "x").code() == ErrorCode::data_corrupted;
  };
  EXPECT(!refuses(LinePointer(0, LinePointerFlags::LP_NORMAL, 40)));
  EXPECT(refuses(LinePointer(0, LinePointerFlags::LP_NORMAL, 48)));     // overlaps
  EXPECT(refuses(LinePointer(0, LinePointerFlags::LP_NORMAL, 4000)));   // ends past the items
  EXPECT(refuses(LinePointer(8100, LinePointerFlags::LP_NORMAL, 40)));  // not aligned
  EXPECT(refuses(LinePointer(16, LinePointerFlags::LP_NORMAL, 40)));    // in the header
  EXPECT(refuses(LinePointer(0, LinePointerFlags::LP_NORMAL, 0)));      // no storage
  EXPECT(refuses(LinePointer(0, LinePointerFlags::LP_UNUSED, 8)));      // unused with storage
  EXPECT(refuses(LinePointer(3, LinePointerFlags::LP_REDIRECT, 0)));    // to nowhere
  EXPECT(!refuses(LinePointer(1, LinePointerFlags::LP_REDIRECT, 0)));
}

}  // namespace pgdata

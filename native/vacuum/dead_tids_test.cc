// Goal: the store of dead line pointers finds what was put in and nothing else. Method: random blocks against a set.
#include "vacuum/dead_tids.h"

#include <random>
#include <set>

#include "base/test.h"

namespace pgdata {

TEST(what_was_added_is_found_and_nothing_else) {
  std::mt19937_64 random = test::random_engine();
  DeadTids dead;
  std::set<ItemPointer> model;
  for (uint32_t block = 0; block < 300; block += 1 + static_cast<uint32_t>(random() % 5)) {
    std::vector<OffsetNumber> offsets;
    for (OffsetNumber offset = 1; offset <= 291; offset++) {
      if (random() % 20 != 0) continue;
      offsets.push_back(offset);
      model.insert(ItemPointer(BlockNumber{block}, offset));
    }
    if (!offsets.empty()) dead.add(BlockNumber{block}, offsets);
  }
  EXPECT_EQ(dead.count(), model.size());
  EXPECT(dead.memory_bytes() < model.size() * 4);
  for (uint32_t block = 0; block < 310; block++)
    for (OffsetNumber offset = 0; offset <= 295; offset++) {
      const ItemPointer tid(BlockNumber{block}, offset);
      if (dead.contains(tid) != model.contains(tid))
        EXPECT_EQ(dead.contains(tid), model.contains(tid));
    }
  dead.clear();
  EXPECT_EQ(dead.count(), 0u);
  EXPECT(!dead.contains(*model.begin()));
}

}  // namespace pgdata

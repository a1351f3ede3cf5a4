// ComboCommands: one command id that stands for the inserting and the deleting command of a row
// which one transaction both wrote and deleted.
//
// A tuple has one field for both; other transactions need neither, so the pairs live in the
// backend that made them, until its transaction ends.
// Source: src/backend/utils/time/combocid.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/invariant.h"
#include "base/types.h"

namespace pgdata {

class ComboCommands {
 public:
  // The id of the pair, the same for the same pair.
  CommandId combine(CommandId cmin, CommandId cmax) {
    const uint64_t key = (static_cast<uint64_t>(cmin) << 32) | cmax;
    const auto [place, added] = ids_.try_emplace(key, static_cast<CommandId>(pairs_.size()));
    if (added) pairs_.push_back({cmin, cmax});
    return place->second;
  }
  CommandId cmin_of(CommandId combo) const {
    INVARIANT(combo < pairs_.size());
    return pairs_[combo].cmin;
  }
  CommandId cmax_of(CommandId combo) const {
    INVARIANT(combo < pairs_.size());
    return pairs_[combo].cmax;
  }
  // At the end of each transaction.
  void clear() {
    pairs_.clear();
    ids_.clear();
  }

 private:
  struct Pair {
    CommandId cmin;
    CommandId cmax;
  };
  std::vector<Pair> pairs_;
  std::unordered_map<uint64_t, CommandId> ids_;
};

}  // namespace pgdata

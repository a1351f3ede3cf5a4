// LongWait: the sentences.
#include "lock/long_wait.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace pgdata {

namespace {

void add_to(std::string* list, uint32_t number) {
  if (!list->empty()) *list += ", ";
  *list += std::to_string(number);
}

}  // namespace

LongWait LongWait::look(const LockTable& table, int slot, bool* found) {
  const std::vector<LockEntry> entries = table.entries();
  const auto own = std::find_if(entries.begin(), entries.end(), [slot](const LockEntry& entry) {
    return entry.slot == slot && !entry.granted;
  });
  LongWait wait;
  *found = own != entries.end();
  if (!*found) return wait;
  wait.number_ = own->number;
  wait.lock_ = std::string(name_of(own->level)) + " on " + own->tag.describe();
  std::string holders;
  std::string queue;
  std::vector<uint32_t> seen;
  for (const LockEntry& entry : entries) {
    if (!(entry.tag == own->tag)) continue;
    // A backend may hold several levels of one lock.
    if (entry.granted && std::find(seen.begin(), seen.end(), entry.number) != seen.end()) continue;
    if (entry.granted) seen.push_back(entry.number);
    add_to(entry.granted ? &holders : &queue, entry.number);
  }
  wait.others_ = std::string(seen.size() == 1 ? "Process" : "Processes") +
                 " holding the lock: " + holders + ". Wait queue: " + queue + ".";
  return wait;
}

ErrorReport LongWait::report(const char* happened,
                             std::chrono::steady_clock::duration after) const {
  char took[64];
  std::snprintf(took, sizeof(took), " after %.3f ms",
                std::chrono::duration<double, std::milli>(after).count());
  ErrorReport report;
  report.code = Status::ok;
  report.message = "process " + std::to_string(number_) + " " + happened + " " + lock_ + took;
  return report;
}

ErrorReport LongWait::still_waiting(std::chrono::steady_clock::duration after) const {
  ErrorReport told = report("still waiting for", after);
  told.detail = others_;
  return told;
}

ErrorReport LongWait::acquired(std::chrono::steady_clock::duration after) const {
  return report("acquired", after);
}

ErrorReport LongWait::deadlocked(std::chrono::steady_clock::duration after) const {
  ErrorReport told = report("detected deadlock while waiting for", after);
  told.detail = others_;
  return told;
}

}  // namespace pgdata

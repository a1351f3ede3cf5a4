// PendingNotifications: what a transaction is going to notify when it commits.
//
// Each once, in the order in which they were asked for; those of a subtransaction go when it is rolled back.
// Source: pendingNotifies in src/backend/commands/async.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/status.h"

namespace pgdata {

struct Notification {
  std::string channel;
  std::string payload;
};

// invalid_parameter_value as PostgreSQL words it: for an empty channel, one of 64 bytes, and a payload that fills a page.
Status check_notification(const std::string& channel, const std::string& payload,
                          uint32_t block_size);

class PendingNotifications {
 public:
  // It was checked.
  void add(Notification notification);
  bool is_empty() const { return levels_.empty(); }
  // Outside all subtransactions.
  const std::vector<Notification>& all() const;

  void begin_subtransaction() { ++depth_; }
  void commit_subtransaction();
  void abort_subtransaction();
  // At the end of the transaction.
  void clear();

 private:
  // Only levels that notify something.
  struct Level {
    uint32_t depth;
    std::vector<Notification> notifications;
    std::unordered_set<std::string> known;
    void add(Notification notification);
  };
  Level& level();

  uint32_t depth_ = 1;
  std::vector<Level> levels_;
};

}  // namespace pgdata

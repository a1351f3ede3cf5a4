// NotifyQueue: notifications on their way from committed transactions to those who listen, in the shared segment.
//
// One queue for the cluster, in the order of commits, on pages of pg_notify that stay in memory while they are few. A
// listener hears one channel of one database, from where the queue ended when it began; it reads when it likes, and what
// it has not read stays. Its mailbox in the LockTable is rung when there is something for it. What nobody listens to is
// not written. Source: src/backend/commands/async.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "lock/lock_table.h"
#include "notify/pending_notifications.h"
#include "shmem/segment.h"
#include "xact/slru.h"

namespace pgdata {

struct NotifyOptions {
  uint32_t listeners = 512;
  uint32_t notify_buffers = 16;  // pages in memory
  uint64_t max_notify_queue_pages = 1048576;
};

// Who notifies.
struct NotifySender {
  Oid database = 0;
  TransactionId xid = invalid_transaction_id;
  uint32_t pid = 0;
  uint32_t session = 0;
};

struct ReceivedNotification {
  Notification notification;
  uint32_t pid = 0;
  uint32_t session = 0;
};

class NotifyQueue {
 public:
  static void plan(SegmentPlan& plan, const NotifyOptions& options, uint32_t block_size);
  NotifyQueue(Segment& segment, StorageServices& services, LockTable& locks,
              const NotifyOptions& options);
  NotifyQueue(const NotifyQueue&) = delete;

  // When the cluster starts, nobody listens: what an earlier run left in pg_notify goes.
  Status start();

  // `slot`: of the session, `mailbox`: of its process. configuration_limit_exceeded when there are too many listeners.
  Status listen(int slot, uint32_t mailbox, Oid database, const std::string& channel,
                uint32_t* listener);
  void unlisten(uint32_t listener);
  // All that `slot` listens to: of the dead.
  void unlisten_all(int slot);

  // Is there perhaps something to read? A bell rings when this becomes true.
  bool has_news(uint32_t listener) const;
  // What comes next for the listener, of about `bytes_max` bytes; nothing when it has read all. One thread a listener.
  Status read(uint32_t listener, size_t bytes_max, std::vector<ReceivedNotification>* received);

  // Runs `commit`, and if that succeeds hands the notifications to those who listen. Others who notify wait meanwhile, so
  // that all hear of commits in their order. program_limit_exceeded when the queue is full; then `commit` was not run.
  Status publish(const NotifySender& sender, const std::vector<Notification>& notifications,
                 const std::function<Status()>& commit);

  // How full the queue is, from 0 to 1: pg_notification_queue_usage().
  double usage() const;
  uint32_t block_size() const { return block_size_; }

 private:
  struct Shared;
  struct Listener;

  template <typename Visit>
  void each_listener(Visit&& visit) const;
  bool hears(const Listener& listener, Oid database, const std::string& channel) const;
  uint64_t tail() const;
  Status write(const NotifySender& sender, const std::vector<const Notification*>& wanted,
               uint64_t* end);
  Status append(const NotifySender& sender, const Notification& notification, SlruPage* page,
                uint64_t* position);
  Status lock_for_writing(uint64_t position, SlruPage* page);
  Status read_page(const Listener& listener, uint64_t head, uint64_t* position, size_t* bytes,
                   std::vector<ReceivedNotification>* received);
  void forget_read_pages();

  Slru pages_;
  LockTable& locks_;
  uint32_t listeners_max_;
  uint32_t block_size_;
  uint64_t max_notify_queue_pages_;
  Shared* shared_;
  Listener* listeners_;
};

}  // namespace pgdata

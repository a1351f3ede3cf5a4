// NotifyQueue: publishing, waking and reading.
#include "notify/notify_queue.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/invariant.h"
#include "layout/notify_entry.h"
#include "shmem/lwlock.h"

namespace pgdata {

// Positions count bytes of all pages since the start. `committing` is held from before notifications are written until
// they are published; `lock`, inside it, for what follows it here and for positions of listeners.
struct NotifyQueue::Shared {
  alignas(64) LwLock committing;
  alignas(64) LwLock lock;
  uint64_t head;           // the end of what was published
  uint64_t first_segment;  // those before it were removed
  uint32_t listeners_end;  // none from here on is taken
};

struct NotifyQueue::Listener {
  alignas(64) std::atomic<uint32_t> news;
  uint32_t taken;
  int32_t slot;
  uint32_t mailbox;
  Oid database;
  uint64_t position;
  char channel[notify_channel_end];
};

namespace {

constexpr const char* range_name = "notify queue";

SlruOptions slru_options(const NotifyOptions& options) {
  SlruOptions slru;
  slru.name = "notify";
  slru.directory = "pg_notify";
  slru.area = SlruArea::notify;
  slru.buffers = options.notify_buffers;
  slru.durable = false;
  slru.long_names = true;
  return slru;
}

}  // namespace

void NotifyQueue::plan(SegmentPlan& plan, const NotifyOptions& options, uint32_t block_size) {
  plan.reserve(range_name, sizeof(Shared) + options.listeners * sizeof(Listener));
  Slru::plan(plan, slru_options(options), block_size);
}

NotifyQueue::NotifyQueue(Segment& segment, StorageServices& services, LockTable& locks,
                         const NotifyOptions& options)
    : pages_(segment, services, slru_options(options)),
      locks_(locks),
      listeners_max_(options.listeners),
      block_size_(services.storage.options().block_size),
      max_notify_queue_pages_(options.max_notify_queue_pages) {
  std::byte* const at = segment.find(range_name);
  shared_ = reinterpret_cast<Shared*>(at);
  listeners_ = reinterpret_cast<Listener*>(at + sizeof(Shared));
}

Status NotifyQueue::start() { return pages_.remove_all_segments(); }

template <typename Visit>
void NotifyQueue::each_listener(Visit&& visit) const {
  for (uint32_t i = 0; i < shared_->listeners_end; ++i) {
    if (listeners_[i].taken != 0) visit(listeners_[i]);
  }
}

bool NotifyQueue::hears(const Listener& listener, Oid database, const std::string& channel) const {
  return listener.database == database && channel == listener.channel;
}

uint64_t NotifyQueue::tail() const {
  uint64_t oldest = shared_->head;
  each_listener([&](const Listener& listener) { oldest = std::min(oldest, listener.position); });
  return oldest;
}

Status NotifyQueue::listen(int slot, uint32_t mailbox, Oid database, const std::string& channel,
                           uint32_t* listener) {
  INVARIANT(!channel.empty());
  INVARIANT(channel.size() < notify_channel_end);
  // What is being committed was, or was not, heard; nothing in between.
  LwLockGuard committing(shared_->committing, LockMode::exclusive);
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  uint32_t free = 0;
  while (free < shared_->listeners_end && listeners_[free].taken != 0) ++free;
  if (free == listeners_max_)
    return Status::error(ErrorCode::configuration_limit_exceeded, "too many listeners")
        .with_hint("You might need to increase \"max_connections\".");
  Listener& made = listeners_[free];
  made.news.store(0, std::memory_order_relaxed);
  made.slot = slot;
  made.mailbox = mailbox;
  made.database = database;
  made.position = shared_->head;
  std::memset(made.channel, 0, sizeof(made.channel));
  std::memcpy(made.channel, channel.data(), channel.size());
  made.taken = 1;
  if (free == shared_->listeners_end) ++shared_->listeners_end;
  *listener = free;
  return Status::ok;
}

void NotifyQueue::unlisten(uint32_t listener) {
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    INVARIANT(listeners_[listener].taken != 0);
    listeners_[listener].taken = 0;
    while (shared_->listeners_end > 0 && listeners_[shared_->listeners_end - 1].taken == 0)
      --shared_->listeners_end;
  }
  forget_read_pages();
}

void NotifyQueue::unlisten_all(int slot) {
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    each_listener([&](Listener& listener) {
      if (listener.slot == slot) listener.taken = 0;
    });
    while (shared_->listeners_end > 0 && listeners_[shared_->listeners_end - 1].taken == 0)
      --shared_->listeners_end;
  }
  forget_read_pages();
}

bool NotifyQueue::has_news(uint32_t listener) const {
  return listeners_[listener].news.load(std::memory_order_acquire) != 0;
}

Status NotifyQueue::publish(const NotifySender& sender,
                            const std::vector<Notification>& notifications,
                            const std::function<Status()>& commit) {
  bool fills_page = false;
  {
    LwLockGuard committing(shared_->committing, LockMode::exclusive);
    std::vector<const Notification*> wanted;
    uint64_t head = 0;
    {
      LwLockGuard guard(shared_->lock, LockMode::shared);
      head = shared_->head;
      for (const Notification& notification : notifications) {
        bool is_heard = false;
        each_listener([&](const Listener& listener) {
          is_heard = is_heard || hears(listener, sender.database, notification.channel);
        });
        if (is_heard) wanted.push_back(&notification);
      }
    }
    uint64_t end = head;
    if (!wanted.empty()) RETURN_IF_ERROR(write(sender, wanted, &end));
    RETURN_IF_ERROR(commit());
    if (wanted.empty()) return Status::ok;
    fills_page = head / block_size_ != end / block_size_;

    std::vector<uint32_t> mailboxes;
    {
      LwLockGuard guard(shared_->lock, LockMode::exclusive);
      shared_->head = end;
      each_listener([&](Listener& listener) {
        const bool is_for_it =
            std::any_of(wanted.begin(), wanted.end(), [&](const Notification* notification) {
              return hears(listener, sender.database, notification->channel);
            });
        if (is_for_it) {
          listener.news.store(1, std::memory_order_release);
          mailboxes.push_back(listener.mailbox);
        } else if (listener.position == head) {
          // It has read all before, and there is nothing for it in this.
          listener.position = end;
        }
      });
    }
    std::sort(mailboxes.begin(), mailboxes.end());
    mailboxes.erase(std::unique(mailboxes.begin(), mailboxes.end()), mailboxes.end());
    for (const uint32_t mailbox : mailboxes) locks_.ring(mailbox);
  }
  if (fills_page) forget_read_pages();
  return Status::ok;
}

Status NotifyQueue::write(const NotifySender& sender,
                          const std::vector<const Notification*>& wanted, uint64_t* end) {
  uint64_t oldest = 0;
  {
    LwLockGuard guard(shared_->lock, LockMode::shared);
    oldest = tail();
  }
  SlruPage page;
  RETURN_IF_ERROR(lock_for_writing(*end, &page));
  for (const Notification* notification : wanted) {
    if (*end / block_size_ - oldest / block_size_ >= max_notify_queue_pages_)
      return Status::error(ErrorCode::program_limit_exceeded,
                           "too many notifications in the NOTIFY queue");
    RETURN_IF_ERROR(append(sender, *notification, &page, end));
  }
  return Status::ok;
}

Status NotifyQueue::lock_for_writing(uint64_t position, SlruPage* page) {
  if (position % block_size_ == 0) return pages_.zero_page(position / block_size_, page);
  return pages_.lock_page(position / block_size_, LockMode::exclusive, "notifications", page);
}

Status NotifyQueue::append(const NotifySender& sender, const Notification& notification,
                           SlruPage* page, uint64_t* position) {
  const std::string& channel = notification.channel;
  const std::string& payload = notification.payload;
  const size_t strings = align_up(channel.size() + payload.size() + 2, 4);
  NotifyEntryHeader header;
  header.length =
      static_cast<uint32_t>(sizeof(NotifyEntryHeader) + strings + sizeof(sender.session));
  INVARIANT(header.length <= block_size_);
  uint32_t offset = static_cast<uint32_t>(*position % block_size_);
  if (offset + header.length > block_size_) {
    NotifyEntryHeader rest;
    rest.length = block_size_ - offset;
    std::memcpy(page->bytes() + offset, &rest, sizeof(rest));
    page->mark_dirty();
    *position += rest.length;
    RETURN_IF_ERROR(lock_for_writing(*position, page));
    offset = 0;
  }
  header.dboid = sender.database;
  header.xid = value_of(sender.xid);
  header.srcPid = sender.pid;
  std::byte* at = page->bytes() + offset;
  std::memset(at, 0, header.length);
  std::memcpy(at, &header, sizeof(header));
  at += sizeof(header);
  std::memcpy(at, channel.data(), channel.size());
  std::memcpy(at + channel.size() + 1, payload.data(), payload.size());
  std::memcpy(at + strings, &sender.session, sizeof(sender.session));
  page->mark_dirty();
  *position += header.length;
  const uint32_t left = block_size_ - offset - header.length;
  if (left < notify_entry_min_bytes) {
    *position += left;
    RETURN_IF_ERROR(lock_for_writing(*position, page));
  }
  return Status::ok;
}

Status NotifyQueue::read(uint32_t listener, size_t bytes_max,
                         std::vector<ReceivedNotification>* received) {
  received->clear();
  Listener& reader = listeners_[listener];
  uint64_t position = 0;
  uint64_t head = 0;
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    INVARIANT(reader.taken != 0);
    reader.news.store(0, std::memory_order_relaxed);
    position = reader.position;
    head = shared_->head;
  }
  const uint64_t start = position;
  size_t bytes = 0;
  while (position < head && bytes < bytes_max)
    RETURN_IF_ERROR(read_page(reader, head, &position, &bytes, received));
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    // Unless somebody else moved it on, since there was nothing for it.
    if (position > reader.position) reader.position = position;
    if (position < head) reader.news.store(1, std::memory_order_release);
  }
  if (start / block_size_ != position / block_size_) forget_read_pages();
  return Status::ok;
}

// The entries of one page, from `*position` on.
Status NotifyQueue::read_page(const Listener& listener, uint64_t head, uint64_t* position,
                              size_t* bytes, std::vector<ReceivedNotification>* received) {
  const uint64_t number = *position / block_size_;
  SlruPage page;
  RETURN_IF_ERROR(pages_.lock_page(number, LockMode::shared, "notifications", &page));
  const auto corrupted = [number] {
    return Status::error(ErrorCode::data_corrupted,
                         "invalid entry on page %llu of the NOTIFY queue",
                         static_cast<unsigned long long>(number));
  };
  while (*position < head && *position / block_size_ == number) {
    const auto offset = static_cast<uint32_t>(*position % block_size_);
    NotifyEntryHeader header;
    if (offset + sizeof(header) > block_size_) return corrupted();
    std::memcpy(&header, page.bytes() + offset, sizeof(header));
    if (header.length < sizeof(header) || header.length % 4 != 0 ||
        header.length > block_size_ - offset)
      return corrupted();
    if (header.dboid == listener.database) {
      const char* const data =
          reinterpret_cast<const char*>(page.bytes() + offset + sizeof(header));
      const size_t size = header.length - sizeof(header);
      const size_t channel = ::strnlen(data, size);
      const size_t payload = channel < size ? ::strnlen(data + channel + 1, size - channel - 1) : 0;
      const size_t strings = align_up(channel + payload + 2, 4);
      if (strings + sizeof(uint32_t) > size) return corrupted();
      if (channel == ::strnlen(listener.channel, sizeof(listener.channel)) &&
          std::memcmp(data, listener.channel, channel) == 0) {
        ReceivedNotification one;
        one.notification.channel.assign(data, channel);
        one.notification.payload.assign(data + channel + 1, payload);
        one.pid = header.srcPid;
        std::memcpy(&one.session, data + strings, sizeof(one.session));
        *bytes += header.length;
        received->push_back(std::move(one));
      }
    }
    *position += header.length;
    if (block_size_ - offset - header.length < notify_entry_min_bytes)
      *position = (number + 1) * block_size_;
  }
  return Status::ok;
}

// Files that all listeners have behind them are removed.
void NotifyQueue::forget_read_pages() {
  uint64_t first = 0;
  uint64_t end = 0;
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    first = shared_->first_segment;
    end = tail() / block_size_ / Slru::pages_per_segment;
    if (first == end) return;
    shared_->first_segment = end;
  }
  // What cannot be removed only takes room until the next start.
  static_cast<void>(pages_.remove_segments(first, end).is_ok());
}

double NotifyQueue::usage() const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const uint64_t used = shared_->head / block_size_ - tail() / block_size_;
  return static_cast<double>(used) / static_cast<double>(max_notify_queue_pages_);
}

}  // namespace pgdata

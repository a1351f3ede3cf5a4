// PendingNotifications: lists by level of subtransaction.
#include "notify/pending_notifications.h"

#include <utility>

#include "base/invariant.h"
#include "layout/notify_entry.h"

namespace pgdata {

Status check_notification(const std::string& channel, const std::string& payload,
                          uint32_t block_size) {
  if (channel.find('\0') != std::string::npos || payload.find('\0') != std::string::npos)
    return Status::error(ErrorCode::character_not_in_repertoire,
                         "invalid byte sequence for encoding \"UTF8\": 0x00");
  if (channel.empty())
    return Status::error(ErrorCode::invalid_parameter_value, "channel name cannot be empty");
  if (channel.size() >= notify_channel_end)
    return Status::error(ErrorCode::invalid_parameter_value, "channel name too long");
  // NOTIFY_PAYLOAD_MAX_LENGTH.
  if (payload.size() >= block_size - notify_channel_end - 128)
    return Status::error(ErrorCode::invalid_parameter_value, "payload string too long");
  return Status::ok;
}

void PendingNotifications::Level::add(Notification notification) {
  std::string key = notification.channel;
  key += '\0';
  key += notification.payload;
  if (known.insert(std::move(key)).second) notifications.push_back(std::move(notification));
}

PendingNotifications::Level& PendingNotifications::level() {
  if (levels_.empty() || levels_.back().depth < depth_) levels_.push_back({depth_, {}, {}});
  return levels_.back();
}

void PendingNotifications::add(Notification notification) { level().add(std::move(notification)); }

const std::vector<Notification>& PendingNotifications::all() const {
  INVARIANT(depth_ == 1);
  INVARIANT(levels_.size() == 1);
  return levels_.front().notifications;
}

void PendingNotifications::commit_subtransaction() {
  INVARIANT(depth_ > 1);
  const bool has_any = !levels_.empty() && levels_.back().depth == depth_;
  --depth_;
  if (!has_any) return;
  if (levels_.size() == 1 || levels_[levels_.size() - 2].depth < depth_) {
    levels_.back().depth = depth_;
    return;
  }
  Level inner = std::move(levels_.back());
  levels_.pop_back();
  for (Notification& notification : inner.notifications)
    levels_.back().add(std::move(notification));
}

void PendingNotifications::abort_subtransaction() {
  INVARIANT(depth_ > 1);
  if (!levels_.empty() && levels_.back().depth == depth_) levels_.pop_back();
  --depth_;
}

void PendingNotifications::clear() {
  levels_.clear();
  depth_ = 1;
}

}  // namespace pgdata

// Attachment: the list of this process's attachments.
#include "shmem/attachment.h"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/invariant.h"
#include "shmem/cluster_state.h"
#include "shmem/lock_wait_event.h"
#include "shmem/process_table.h"

namespace pgdata {

namespace {

struct Known {
  const Attachment* attachment;
  const std::byte* begin;
  const std::byte* end;
  const ClusterState* state;
  ProcessTable* processes;
  uint32_t process;
};

std::shared_mutex mutex;
std::vector<Known> all;

bool find(const void* address, Known* found) {
  const std::shared_lock<std::shared_mutex> guard(mutex);
  const auto* const at = static_cast<const std::byte*>(address);
  for (const Known& known : all) {
    if (at < known.begin || at >= known.end) continue;
    *found = known;
    return true;
  }
  return false;
}

}  // namespace

Attachment::Attachment(const Segment& segment, const ClusterState& state, ProcessTable& processes,
                       uint32_t process) {
  const std::unique_lock<std::shared_mutex> guard(mutex);
  all.push_back(
      {this, segment.base(), segment.base() + segment.size_bytes(), &state, &processes, process});
}

Attachment::~Attachment() {
  const std::unique_lock<std::shared_mutex> guard(mutex);
  std::erase_if(all, [this](const Known& known) { return known.attachment == this; });
}

Attachment::Inside::Inside(const void* address) {
  Known known;
  if (!find(address, &known)) return;
  processes_ = known.processes;
  process_ = known.process;
  processes_->enter(process_);
}

Attachment::Inside::~Inside() {
  if (processes_ != nullptr) processes_->exit(process_);
}

void Attachment::give_up_if_crashed(const void* address) {
  Known known;
  if (find(address, &known) && known.state->is_poisoned())
    throw InvariantFailure("the cluster crashed while a lock was waited for", __FILE__, __LINE__);
}

std::string_view attached_range(const void* address) {
  Known known;
  return find(address, &known) ? range_in_segment(known.begin, address) : std::string_view();
}

}  // namespace pgdata

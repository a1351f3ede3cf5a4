// WaitScope: the entry of each thread.
#include "shmem/wait_scope.h"

#include <utility>

namespace pgdata {

namespace {

thread_local ActivityEntry* entry_of_thread = nullptr;

}  // namespace

WaitScope::WaitScope(WaitEvent event) : entry_(entry_of_thread) {
  // Whoever is told of a lock that has no name of its own sees what was told before.
  if (event == WaitEvent::none) entry_ = nullptr;
  if (entry_ == nullptr) return;
  before_ = entry_->wait_event();
  entry_->set_wait(event);
}

WaitScope::~WaitScope() {
  if (entry_ != nullptr) entry_->set_wait(before_);
}

WaitReport::WaitReport(ActivityEntry* entry) : before_(std::exchange(entry_of_thread, entry)) {}

WaitReport::~WaitReport() { entry_of_thread = before_; }

}  // namespace pgdata

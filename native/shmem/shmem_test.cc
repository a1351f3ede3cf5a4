// Goal: locks exclude, let readers share, lose no wake-up and work between two
// mappings of one segment; a segment gives what was planned and can be attached.
// Method: threads that change plain memory under the locks, so that
// ThreadSanitizer sees any hole, and counters that a lost wake-up would leave short.
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/invariant.h"
#include "base/test.h"
#include "shmem/attachment.h"
#include "shmem/cluster_state.h"
#include "shmem/invalidation_queue.h"
#include "shmem/lwlock.h"
#include "shmem/process_table.h"
#include "shmem/segment.h"

namespace pgdata {

namespace {

// Whose segments these are.
const std::string directory = "/tmp";

void run_threads(int count, const auto& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST(lock_modes_exclude_each_other) {
  LwLock lock;
  EXPECT(!lock.is_held());
  lock.acquire(LockMode::shared);
  EXPECT(lock.is_held());
  EXPECT(!lock.is_held_exclusive());
  EXPECT(lock.try_acquire(LockMode::shared));
  EXPECT(!lock.try_acquire(LockMode::exclusive));
  lock.release();
  lock.release();
  EXPECT(!lock.is_held());
  ASSERT(lock.try_acquire(LockMode::exclusive));
  EXPECT(lock.is_held_exclusive());
  EXPECT(!lock.try_acquire(LockMode::shared));
  EXPECT(!lock.try_acquire(LockMode::exclusive));
  lock.downgrade();
  EXPECT(!lock.is_held_exclusive());
  EXPECT(lock.try_acquire(LockMode::shared));
  lock.release();
  lock.release();
  EXPECT(!lock.is_held());
}

TEST(writers_lose_no_update) {
  LwLock lock;
  uint64_t counter = 0;
  constexpr int rounds = 20000;
  run_threads(4, [&](int) {
    for (int i = 0; i < rounds; i++) {
      const LwLockGuard guard(lock, LockMode::exclusive);
      counter++;
    }
  });
  EXPECT_EQ(counter, 4u * rounds);
  EXPECT(!lock.is_held());
}

TEST(readers_never_see_half_a_write) {
  LwLock lock;
  uint64_t left = 0;
  uint64_t right = 0;
  std::atomic<uint64_t> torn{0};
  std::atomic<uint64_t> reads{0};
  run_threads(5, [&](int thread) {
    for (int i = 0; i < 10000; i++) {
      if (thread < 2) {
        lock.acquire(LockMode::exclusive);
        left++;
        if (i % 64 == 0) std::this_thread::yield();
        right++;
        if (i % 3 == 0) {
          lock.downgrade();
          if (left != right) torn++;
        }
        lock.release();
      } else {
        const LwLockGuard guard(lock, LockMode::shared);
        if (left != right) torn++;
        reads++;
      }
    }
  });
  EXPECT_EQ(torn.load(), 0);
  EXPECT_EQ(reads.load(), 30000);
  EXPECT_EQ(left, 20000);
  EXPECT_EQ(right, 20000);
}

TEST(sleepers_of_both_kinds_are_woken) {
  // Held long enough for everybody to fall asleep, again and again.
  LwLock lock;
  int changes = 0;
  for (int round = 0; round < 20; round++) {
    lock.acquire(round % 2 == 0 ? LockMode::exclusive : LockMode::shared);
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; i++) {
      threads.emplace_back([&lock, &changes, i] {
        const LwLockGuard guard(lock, i % 2 == 0 ? LockMode::exclusive : LockMode::shared);
        if (i % 2 == 0) changes++;
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    lock.release();
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(changes, 60);
  EXPECT(!lock.is_held());
}

TEST(waiting_writer_keeps_new_readers_out) {
  LwLock lock;
  lock.acquire(LockMode::shared);
  std::thread writer([&lock] { const LwLockGuard guard(lock, LockMode::exclusive); });
  bool refused = false;
  for (int i = 0; i < 2000 && !refused; i++) {
    refused = !lock.try_acquire(LockMode::shared);
    if (!refused) lock.release();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT(refused);
  lock.release();
  writer.join();
  EXPECT(!lock.is_held());
}

TEST(futex_wait_ends_in_time_and_on_change) {
  std::atomic<uint32_t> word{7};
  futex_wait(&word, 8, -1);  // Not the expected value: returns at once.
  const auto start = std::chrono::steady_clock::now();
  futex_wait(&word, 7, 20);
  EXPECT(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  std::thread waker([&word] {
    word.store(8);
    futex_wake(&word, 1);
  });
  while (word.load() == 7) futex_wait(&word, 7, -1);
  waker.join();
  EXPECT_EQ(word.load(), 8);
}

TEST(segment_gives_what_was_planned) {
  for (const std::string& owner : {std::string(), directory}) {
    SegmentPlan plan;
    plan.reserve("small", 10);
    plan.reserve("pages", 1u << 20, 4096);
    plan.reserve("last", 100, 128);
    std::unique_ptr<Segment> segment;
    ASSERT_OK(Segment::create(owner, plan, &segment));
    EXPECT_EQ(segment->id() >= 0, !owner.empty());
    EXPECT(segment->size_bytes() >= plan.total_bytes());
    size_t bytes = 0;
    std::byte* const small = segment->find("small", &bytes);
    EXPECT_EQ(bytes, 10);
    std::byte* const pages = segment->find("pages", &bytes);
    EXPECT_EQ(bytes, 1u << 20);
    EXPECT_EQ((pages - segment->base()) % 4096, 0);
    EXPECT_EQ((segment->find("last") - segment->base()) % 128, 0);
    EXPECT(pages >= small + 10);
    EXPECT(segment->find("last") >= pages + bytes);
    uint64_t any = 0;
    for (size_t i = 0; i < bytes; i++) any |= static_cast<uint8_t>(pages[i]);
    EXPECT_EQ(any, 0);
    pages[bytes - 1] = std::byte{1};
  }
}

TEST(attached_segment_shares_memory_and_locks) {
  struct Shared {
    LwLock lock;
    uint64_t counter;
  };
  SegmentPlan plan;
  plan.reserve("shared", sizeof(Shared));
  std::unique_ptr<Segment> owner;
  ASSERT_OK(Segment::create(directory, plan, &owner));
  std::unique_ptr<Segment> guest;
  ASSERT_OK(Segment::attach(owner->id(), directory, &guest));
  EXPECT(owner->base() != guest->base());
  auto* const shared = reinterpret_cast<Shared*>(owner->find("shared"));
  constexpr int rounds = 5000;

  // Another process, which finds the segment by its number.
  const pid_t child = fork();
  if (child == 0) {
    std::unique_ptr<Segment> mine;
    if (!Segment::attach(owner->id(), directory, &mine).is_ok()) _exit(1);
    auto* const theirs = reinterpret_cast<Shared*>(mine->find("shared"));
    for (int i = 0; i < rounds; i++) {
      const LwLockGuard guard(theirs->lock, LockMode::exclusive);
      theirs->counter++;
    }
    _exit(0);
  }
  run_threads(2, [&](int thread) {
    Segment& segment = thread == 0 ? *owner : *guest;
    auto* const mine = reinterpret_cast<Shared*>(segment.find("shared"));
    for (int i = 0; i < rounds; i++) {
      const LwLockGuard guard(mine->lock, LockMode::exclusive);
      mine->counter++;
    }
  });
  int child_status = -1;
  ASSERT_EQ(waitpid(child, &child_status, 0), child);
  EXPECT_EQ(child_status, 0);
  EXPECT_EQ(shared->counter, 3u * rounds);
}

TEST(segment_lives_as_long_as_anybody_is_attached) {
  SegmentPlan plan;
  plan.reserve("x", 1);
  std::unique_ptr<Segment> first;
  ASSERT_OK(Segment::create(directory, plan, &first));
  const int id = first->id();
  std::unique_ptr<Segment> guest;
  ASSERT_OK(Segment::attach(id, directory, &guest));
  first.reset();
  guest->find("x")[0] = std::byte{1};
  std::unique_ptr<Segment> third;
  ASSERT_OK(Segment::attach(id, directory, &third));
  EXPECT_EQ(static_cast<int>(third->find("x")[0]), 1);
  third.reset();
  guest.reset();
  EXPECT_EQ(Segment::attach(id, directory, &guest).code(), ErrorCode::undefined_object);
}

TEST(attach_refuses_what_is_no_segment) {
  std::unique_ptr<Segment> segment;
  EXPECT_EQ(Segment::attach(-1, directory, &segment).code(), ErrorCode::undefined_object);
  // Somebody else's memory.
  const int foreign = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);
  ASSERT(foreign >= 0);
  EXPECT_EQ(Segment::attach(foreign, directory, &segment).code(), ErrorCode::undefined_object);
  shmctl(foreign, IPC_RMID, nullptr);
  // Another data directory's.
  SegmentPlan plan;
  plan.reserve("x", 1);
  std::unique_ptr<Segment> made;
  ASSERT_OK(Segment::create(directory, plan, &made));
  EXPECT_EQ(Segment::attach(made->id(), "/", &segment).code(), ErrorCode::undefined_object);
  // One that is still being made.
  auto* const magic = reinterpret_cast<std::atomic<uint64_t>*>(made->base() + 64);
  magic->store(0);
  EXPECT_EQ(Segment::attach(made->id(), directory, &segment).code(),
            ErrorCode::object_not_in_prerequisite_state);
}

TEST(segment_larger_than_shared_memory_is_refused) {
  SegmentPlan plan;
  plan.reserve("x", size_t{1} << 50);
  std::unique_ptr<Segment> segment;
  const Status status = Segment::create(directory, plan, &segment);
  ASSERT(!status.is_ok());
  EXPECT_EQ(status.code(), ErrorCode::out_of_memory);
  EXPECT(!status.report().hint.empty());
}

TEST(poison_keeps_the_first_reason) {
  ClusterState state;
  EXPECT_OK(state.check());
  EXPECT(!state.is_poisoned());
  state.poison("could not sync \"pg_wal/1\"");
  state.poison("something later");
  EXPECT(state.is_poisoned());
  const Status status = state.check();
  ASSERT(!status.is_ok());
  EXPECT_EQ(status.code(), ErrorCode::crash_shutdown);
  EXPECT_EQ(status.report().detail, std::string("could not sync \"pg_wal/1\""));
}

TEST(poison_by_many_is_seen_by_all) {
  ClusterState state;
  std::atomic<int> failed{0};
  run_threads(4, [&](int) {
    state.poison("reason");
    if (state.check().code() == ErrorCode::crash_shutdown) failed++;
  });
  EXPECT_EQ(failed.load(), 4);
}

TEST(one_that_left_is_not_taken_for_one_that_died) {
  SegmentPlan plan;
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  ProcessTable table(*segment);
  uint32_t first = ProcessTable::none;
  uint32_t second = ProcessTable::none;
  ASSERT_OK(table.join(&first));
  EXPECT_EQ(table.owner(), ProcessTable::none);
  table.set_owner(first);
  EXPECT_EQ(table.owner(), first);
  ASSERT_OK(table.join(&second));
  EXPECT_EQ(table.count(), 2u);
  const std::vector<ProcessTable::Process> listed = table.list();
  ASSERT_EQ(listed.size(), size_t{2});
  EXPECT(table.is_listed(listed[1]));
  EXPECT(!table.forbid_joining());
  EXPECT(!table.begin_leaving(second));
  table.leave(second);
  EXPECT(!table.is_listed(listed[1]));
  EXPECT_EQ(table.count(), 1u);
  // While it is alone it may keep others out for a while; at the end for good.
  EXPECT(table.forbid_joining());
  EXPECT_EQ(table.join(&second).code(), ErrorCode::cannot_connect_now);
  table.allow_joining();
  ASSERT_OK(table.join(&second));
  // Of two that leave at once one is the last, which is the second to begin.
  EXPECT(!table.begin_leaving(first));
  uint32_t third = ProcessTable::none;
  ASSERT_OK(table.join(&third));
  EXPECT(!table.begin_leaving(second));
  EXPECT(table.begin_leaving(third));
  EXPECT_EQ(table.count(), 3u);
  EXPECT_EQ(table.join(&second).code(), ErrorCode::cannot_connect_now);
  table.leave(second);
  table.leave(third);
  table.leave(first);
  EXPECT_EQ(table.owner(), ProcessTable::none);
}

TEST(memory_contexts_are_asked_for_once) {
  SegmentPlan plan;
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  ProcessTable table(*segment);
  uint32_t process = ProcessTable::none;
  ASSERT_OK(table.join(&process));
  EXPECT(!table.take_memory_context_request(process));
  EXPECT(table.request_memory_contexts(getpid()));
  EXPECT(table.request_memory_contexts(getpid()));
  EXPECT(table.take_memory_context_request(process));
  EXPECT(!table.take_memory_context_request(process));
  EXPECT(!table.request_memory_contexts(0));
  EXPECT(!table.request_memory_contexts(-1));
  EXPECT(table.request_memory_contexts(getpid()));
  table.leave(process);
  EXPECT(!table.request_memory_contexts(getpid()));
  // Who comes after it was not asked.
  ASSERT_OK(table.join(&process));
  EXPECT(!table.take_memory_context_request(process));
}

TEST(being_inside_is_counted_by_threads_and_calls) {
  SegmentPlan plan;
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  ProcessTable table(*segment);
  uint32_t process = ProcessTable::none;
  ASSERT_OK(table.join(&process));
  ClusterState state;
  EXPECT(!table.is_inside(process));
  {
    const Inside outer(table, process);
    const Inside inner(table, process);
    EXPECT(table.is_inside(process));
    EXPECT(!table.is_reading(process));
  }
  EXPECT(!table.is_inside(process));
  table.begin_call(process);
  table.begin_call(process);
  table.end_call(process);
  EXPECT(table.is_reading(process));
  EXPECT(table.is_inside(process));
  table.end_call(process);
  EXPECT(!table.is_inside(process));
}

TEST(a_lock_whose_holder_died_is_given_up_once_the_cluster_has_crashed) {
  struct Shared {
    ClusterState state;
    LwLock lock;
  };
  SegmentPlan plan;
  plan.reserve("shared", sizeof(Shared));
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  ProcessTable table(*segment);
  uint32_t process = ProcessTable::none;
  ASSERT_OK(table.join(&process));
  auto* const shared = new (segment->find("shared")) Shared;
  const Attachment attachment(*segment, shared->state, table, process);
  shared->lock.acquire(LockMode::exclusive);
  for (const LockMode mode : {LockMode::shared, LockMode::exclusive}) {
    std::thread poisoner([&] { shared->state.poison_after_death("a process died", 7); });
    bool gave_up = false;
    try {
      shared->lock.acquire(mode);
    } catch (const InvariantFailure&) {
      gave_up = true;
    }
    poisoner.join();
    EXPECT(gave_up);
  }
  EXPECT(shared->state.needs_restart());
}

TEST(who_must_leave_after_a_crash_does_not_need_the_lock_of_one_who_died) {
  SegmentPlan plan;
  plan.reserve("state", sizeof(ClusterState));
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  ProcessTable table(*segment);
  uint32_t process = ProcessTable::none;
  ASSERT_OK(table.join(&process));
  table.set_owner(process);
  auto* const state = new (segment->find("state")) ClusterState;
  const Attachment attachment(*segment, *state, table, process);
  // The table begins with its lock.
  reinterpret_cast<LwLock*>(segment->find("processes"))->acquire(LockMode::exclusive);
  state->poison_after_death("a process died", 7);
  const std::vector<ProcessTable::Process> listed = table.list();
  ASSERT_EQ(listed.size(), size_t{1});
  EXPECT(table.is_listed(listed[0]));
  table.leave(process);
  EXPECT_EQ(table.count(), 0u);
  EXPECT_EQ(table.owner(), ProcessTable::none);
  EXPECT(!table.is_listed(listed[0]));
}

TEST(a_lock_that_is_only_busy_is_waited_for_after_a_crash_too) {
  struct Shared {
    ClusterState state;
    LwLock lock;
  };
  SegmentPlan plan;
  plan.reserve("shared", sizeof(Shared));
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  ProcessTable table(*segment);
  uint32_t process = ProcessTable::none;
  ASSERT_OK(table.join(&process));
  auto* const shared = new (segment->find("shared")) Shared;
  const Attachment attachment(*segment, shared->state, table, process);
  constexpr int threads_count = 4;
  constexpr int rounds = 5000;
  shared->state.poison_after_death("a process died", 7);
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (int i = 0; i < threads_count; i++) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < rounds; round++) {
        const LockMode mode = (round + i) % 3 == 0 ? LockMode::shared : LockMode::exclusive;
        const LwLockGuard guard(shared->lock, mode);
        done++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done.load(), threads_count * rounds);
}

TEST(a_reader_that_was_overtaken_is_told_so) {
  SegmentPlan plan;
  InvalidationQueue::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  InvalidationQueue queue(*segment);
  uint64_t position = queue.end();
  std::vector<Invalidation> messages;
  queue.send({Invalidation::Kind::catalogs, {0, 5, 0}, 16384});
  EXPECT(queue.read(&position, &messages));
  ASSERT_EQ(messages.size(), size_t{1});
  EXPECT_EQ(messages[0].relation.dbOid, 5u);
  EXPECT_EQ(messages[0].object, 16384u);
  for (uint32_t i = 0; i < InvalidationQueue::messages_max; i++)
    queue.send({Invalidation::Kind::files, {1663, 5, i}, invalid_oid});
  messages.clear();
  EXPECT(queue.read(&position, &messages));
  EXPECT_EQ(messages.size(), size_t{InvalidationQueue::messages_max});
  EXPECT_EQ(messages.back().relation.relNumber, InvalidationQueue::messages_max - 1);
  for (uint32_t i = 0; i <= InvalidationQueue::messages_max; i++)
    queue.send({Invalidation::Kind::files, {1663, 5, i}, invalid_oid});
  messages.clear();
  EXPECT(!queue.read(&position, &messages));
  EXPECT(messages.empty());
  EXPECT_EQ(position, queue.end());
}

}  // namespace pgdata

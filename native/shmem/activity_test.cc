// Goal: whoever reads an entry of the activity table sees one moment of it, whatever is being written; entries go with
// their processes; names are PostgreSQL's.
// Method: a writer whose changes make all fields agree, readers beside it that check that they do, under ThreadSanitizer
// too; for what a death leaves behind, a child process that is killed in the middle of a change.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/test.h"
#include "shmem/activity_table.h"
#include "shmem/attachment.h"
#include "shmem/cluster_state.h"
#include "shmem/lock_wait_event.h"
#include "shmem/lwlock.h"
#include "shmem/process_table.h"
#include "shmem/wait_scope.h"

namespace pgdata {

namespace {

constexpr uint32_t slots = 4;
// Whose segment it is.
const std::string directory = "/tmp";

struct Fixture {
  std::unique_ptr<Segment> segment;
  std::unique_ptr<ActivityTable> table;

  Fixture() {
    SegmentPlan plan;
    ActivityTable::plan(plan, slots);
    ASSERT_OK(Segment::create(directory, plan, &segment));
    table = std::make_unique<ActivityTable>(*segment, slots);
  }
};

}  // namespace

TEST(an_entry_says_what_its_session_does) {
  Fixture fixture;
  ActivityTable& table = *fixture.table;
  EXPECT(table.list().empty());
  const TimestampTz before = current_timestamp();
  ActivityEntry& entry = table.of_slot(2);
  entry.open(BackendType::backend, 7, 5, "loader");
  std::vector<Activity> list = table.list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].slot, 2);
  EXPECT_EQ(list[0].pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(list[0].database, 5u);
  EXPECT_EQ(list[0].application_name, "loader");
  EXPECT(list[0].state == ActivityState::idle);
  EXPECT(list[0].type == BackendType::backend);
  EXPECT(list[0].backend_start >= before);
  EXPECT_EQ(list[0].xact_start, 0);
  EXPECT_EQ(list[0].operation, "");

  entry.begin_operation(OperationName("SELECT FOR UPDATE"), 16384, 100);
  entry.set_wait(WaitEvent::lock_tuple);
  list = table.list();
  EXPECT(list[0].state == ActivityState::active);
  EXPECT(list[0].wait_event == WaitEvent::lock_tuple);
  EXPECT_EQ(list[0].operation, "SELECT FOR UPDATE");
  EXPECT_EQ(list[0].relation, 16384u);
  EXPECT_EQ(list[0].query_start, 100);

  entry.set_state(ActivityState::idle_in_transaction, WaitEvent::client_read, 90, 110);
  list = table.list();
  EXPECT(list[0].state == ActivityState::idle_in_transaction);
  EXPECT_EQ(list[0].xact_start, 90);
  EXPECT_EQ(list[0].query_start, 100);
  EXPECT_EQ(list[0].state_change, 110);
  EXPECT_EQ(list[0].operation, "SELECT FOR UPDATE");

  entry.close();
  EXPECT(table.list().empty());
}

TEST(names_are_cut_between_characters) {
  EXPECT_EQ(OperationName("autovacuum: VACUUM").text(), "autovacuum: VACUUM");
  EXPECT_EQ(OperationName("0123456789012345678901234567").text(), "012345678901234567890123");
  // 62 letters, then one character of two bytes, which no longer fits into 63.
  const std::string long_name = std::string(62, 'x') + "\xc3\xa9";
  EXPECT_EQ(ApplicationName(long_name).text(), std::string(62, 'x'));
  EXPECT_EQ(ApplicationName(long_name.substr(1)).text(), long_name.substr(1));
}

TEST(entries_go_with_their_process) {
  Fixture fixture;
  ActivityTable& table = *fixture.table;
  table.of_slot(0).open(BackendType::backend, 0, 5, "");
  table.of_slot(1).open(BackendType::autovac_worker, 1, 5, "");
  table.of_worker(BackendType::checkpointer).open(BackendType::checkpointer, 1, 0, "");
  EXPECT_EQ(table.list().size(), 3u);
  EXPECT(table.list()[0].type == BackendType::checkpointer);
  EXPECT(table.list()[0].state == ActivityState::none);
  // Another process has become the owner before the dead one is cleaned up after.
  table.of_worker(BackendType::checkpointer).open(BackendType::checkpointer, 2, 0, "");
  table.close_all_of(1);
  const std::vector<Activity> list = table.list();
  ASSERT_EQ(list.size(), 2u);
  EXPECT(list[0].type == BackendType::checkpointer);
  EXPECT(table.of_worker(BackendType::checkpointer).is_open_in(2));
  EXPECT_EQ(list[1].slot, 0);
}

TEST(readers_see_one_moment) {
  Fixture fixture;
  ActivityTable& table = *fixture.table;
  ActivityEntry& entry = table.of_slot(0);
  entry.open(BackendType::backend, 0, 5, "");
  constexpr TimestampTz rounds = 20000;
  constexpr TimestampTz burst = 8;
  const OperationName names[2] = {OperationName("UPDATE and then much more"),
                                  OperationName("INSERT, which is another")};
  entry.begin_operation(names[0], 0, 0);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> torn{0};
  std::atomic<uint64_t> seen{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; i++) {
    readers.emplace_back([&] {
      while (!done.load()) {
        for (const Activity& activity : table.list()) {
          seen++;
          const TimestampTz now = activity.query_start;
          if (activity.relation != static_cast<Oid>(now) || activity.state_change != now ||
              activity.operation != names[now % 2].text())
            torn++;
        }
      }
    });
  }
  // Until the readers have looked often enough, on a machine that is busy.
  for (TimestampTz now = 0; now < rounds || seen.load() < 100; now++) {
    entry.begin_operation(names[now % 2], static_cast<Oid>(now), now);
    // Nobody changes without a pause.
    if (now % burst == 0) std::this_thread::sleep_for(std::chrono::microseconds(1));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn.load(), 0u);
  EXPECT_EQ(table.list().size(), 1u);
}

TEST(a_death_in_a_change_stops_no_reader) {
  Fixture fixture;
  ActivityTable& table = *fixture.table;
  int ready[2];
  ASSERT(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::unique_ptr<Segment> attached;
    if (!Segment::attach(fixture.segment->id(), directory, &attached).is_ok()) _exit(2);
    ActivityEntry& entry = ActivityTable(*attached, slots).of_slot(0);
    entry.open(BackendType::backend, 3, 5, "");
    ssize_t written = write(ready[1], "x", 1);
    for (TimestampTz now = 0; written > 0; now++)
      entry.begin_operation(OperationName("UPDATE"), 1, now);
    _exit(1);
  }
  char byte = 0;
  ASSERT(read(ready[0], &byte, 1) == 1);
  usleep(2000);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  std::vector<Activity> list = table.list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].pid, static_cast<uint32_t>(child));
  table.close_all_of(3);
  EXPECT(table.list().empty());
  // The next one finds it in order.
  table.of_slot(0).open(BackendType::backend, 4, 5, "next");
  list = table.list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].application_name, "next");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(waits_of_a_thread_are_those_of_its_entry_and_end_with_it) {
  Fixture fixture;
  ActivityEntry& entry = fixture.table->of_slot(1);
  entry.open(BackendType::backend, 1, 5, "");
  entry.set_wait(WaitEvent::client_write);
  {
    // Nobody said on whose behalf.
    const WaitScope unheard(WaitEvent::data_file_read);
    EXPECT(entry.wait_event() == WaitEvent::client_write);
  }
  {
    const WaitReport reporting(&entry);
    EXPECT(entry.wait_event() == WaitEvent::client_write);
    {
      const WaitScope writing(WaitEvent::wal_init_write);
      EXPECT(entry.wait_event() == WaitEvent::wal_init_write);
      {
        const WaitScope syncing(WaitEvent::wal_init_sync);
        EXPECT(entry.wait_event() == WaitEvent::wal_init_sync);
      }
      EXPECT(entry.wait_event() == WaitEvent::wal_init_write);
    }
    {
      const WaitReport nobody(nullptr);
      const WaitScope unheard(WaitEvent::data_file_read);
      EXPECT(entry.wait_event() == WaitEvent::client_write);
    }
    const WaitScope nameless(WaitEvent::none);
    EXPECT(entry.wait_event() == WaitEvent::client_write);
  }
  EXPECT(entry.wait_event() == WaitEvent::client_write);
}

TEST(a_lock_that_is_waited_for_is_known_by_where_it_lies) {
  SegmentPlan plan;
  ActivityTable::plan(plan, slots);
  plan.reserve("process array", sizeof(LwLock));
  plan.reserve("something else", sizeof(LwLock));
  plan.reserve("state", sizeof(ClusterState));
  ProcessTable::plan(plan);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  EXPECT_EQ(range_in_segment(segment->base(), segment->find("something else")), "something else");
  EXPECT_EQ(range_in_segment(segment->base(), segment->base()), "");
  auto* const lock = reinterpret_cast<LwLock*>(segment->find("process array"));
  // Not attached.
  EXPECT(lock_wait_event(lock) == WaitEvent::none);

  ProcessTable processes(*segment);
  uint32_t process = ProcessTable::none;
  ASSERT_OK(processes.join(&process));
  auto* const state = new (segment->find("state")) ClusterState;
  const Attachment attachment(*segment, *state, processes, process);
  EXPECT(lock_wait_event(lock) == WaitEvent::lwlock_proc_array);
  EXPECT(lock_wait_event(segment->find("something else")) == WaitEvent::none);
  ActivityEntry& entry = ActivityTable(*segment, slots).of_slot(0);
  entry.open(BackendType::backend, process, 5, "");
  for (const LockMode mode : {LockMode::shared, LockMode::exclusive}) {
    lock->acquire(LockMode::exclusive);
    std::thread waiter([&] {
      const WaitReport reporting(&entry);
      lock->acquire(mode);
      lock->release();
    });
    while (entry.wait_event() != WaitEvent::lwlock_proc_array) std::this_thread::yield();
    lock->release();
    waiter.join();
    EXPECT(entry.wait_event() == WaitEvent::none);
  }
  processes.leave(process);
}

TEST(names_are_those_of_pg_stat_activity) {
  EXPECT_EQ(std::string(name_of(BackendType::backend)), "client backend");
  EXPECT_EQ(std::string(name_of(BackendType::wal_writer)), "walwriter");
  EXPECT_EQ(std::string(name_of(BackendType::logger)), "logger");
  EXPECT_EQ(std::string(type_of(WaitEvent::none)), "");
  EXPECT_EQ(std::string(type_of(WaitEvent::lock_advisory)), "Lock");
  EXPECT_EQ(std::string(name_of(WaitEvent::lock_advisory)), "advisory");
  EXPECT_EQ(std::string(name_of(WaitEvent::wal_sync)), "WalSync");
  EXPECT_EQ(std::string(name_of(static_cast<WaitEvent>(1000))), "");
}

}  // namespace pgdata

// Goal: who listens hears what committed transactions notified, once and in the order of commits, and nothing else; the
// queue grows to files and goes again. Method: sessions of one thread, then many threads on one queue.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "base/test.h"
#include "lock/wait_thread.h"
#include "notify/notify_queue.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

class Queue {
 public:
  explicit Queue(NotifyOptions options = {}) {
    std::filesystem::create_directory(cluster_.directory() + "/pg_notify");
    LockTableOptions lock_options;
    SegmentPlan plan;
    LockTable::plan(plan, lock_options);
    NotifyQueue::plan(plan, options, default_block_size);
    TestCluster::must(Segment::create("", plan, &segment_));
    locks_ = std::make_unique<LockTable>(*segment_, lock_options);
    queue_ = std::make_unique<NotifyQueue>(*segment_, cluster_.services(), *locks_, options);
    TestCluster::must(queue_->start());
    TestCluster::must(locks_->take_mailbox(&mailbox_));
  }
  NotifyQueue& operator*() { return *queue_; }
  NotifyQueue* operator->() { return queue_.get(); }
  LockTable& locks() { return *locks_; }
  ClusterState& state() { return cluster_.state(); }
  uint32_t mailbox() const { return mailbox_; }

  uint32_t listen(const std::string& channel, Oid database = 5, int slot = 0) {
    uint32_t listener = 0;
    TestCluster::must(queue_->listen(slot, mailbox_, database, channel, &listener));
    return listener;
  }
  Status notify(std::vector<Notification> notifications, Oid database = 5) {
    NotifySender sender;
    sender.database = database;
    sender.pid = 100;
    sender.session = 7;
    return queue_->publish(sender, notifications, [] { return Status(); });
  }
  // All that is there.
  std::vector<std::string> hear(uint32_t listener) {
    std::vector<std::string> heard;
    std::vector<ReceivedNotification> received;
    do {
      TestCluster::must(queue_->read(listener, 1000, &received));
      for (const ReceivedNotification& one : received)
        heard.push_back(one.notification.channel + ":" + one.notification.payload);
    } while (!received.empty());
    return heard;
  }
  size_t files() const {
    const std::filesystem::directory_iterator all(cluster_.directory() + "/pg_notify");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }
  std::string first_file() const {
    const std::filesystem::directory_iterator all(cluster_.directory() + "/pg_notify");
    return all->path().filename().string();
  }

 private:
  TestCluster cluster_;
  std::unique_ptr<Segment> segment_;
  std::unique_ptr<LockTable> locks_;
  std::unique_ptr<NotifyQueue> queue_;
  uint32_t mailbox_ = 0;
};

using Lines = std::vector<std::string>;

TEST(each_hears_its_channel_of_its_database) {
  Queue queue;
  const uint32_t a = queue.listen("a");
  const uint32_t b = queue.listen("b");
  const uint32_t elsewhere = queue.listen("a", 6);
  ASSERT_OK(queue.notify({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"a", ""}}));
  EXPECT(queue->has_news(a));
  EXPECT(queue->has_news(b));
  EXPECT(!queue->has_news(elsewhere));
  const uint32_t late = queue.listen("a");
  EXPECT(queue.hear(a) == Lines({"a:1", "a:"}));
  EXPECT(queue.hear(b) == Lines({"b:2"}));
  EXPECT(queue.hear(late).empty());
  EXPECT(queue.hear(elsewhere).empty());
  EXPECT(!queue->has_news(a));
  ASSERT_OK(queue.notify({{"a", "4"}}, 6));
  EXPECT(queue.hear(a).empty());
  EXPECT(queue.hear(elsewhere) == Lines({"a:4"}));
  queue->unlisten(b);
  ASSERT_OK(queue.notify({{"b", "5"}}));
  EXPECT(queue.hear(queue.listen("b")).empty());
}

TEST(the_sender_is_told) {
  Queue queue;
  const uint32_t listener = queue.listen("a");
  ASSERT_OK(queue.notify({{"a", "1"}}));
  std::vector<ReceivedNotification> received;
  ASSERT_OK(queue->read(listener, 1000, &received));
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0].pid, 100u);
  EXPECT_EQ(received[0].session, 7u);
}

TEST(a_commit_that_fails_notifies_nobody) {
  Queue queue;
  const uint32_t listener = queue.listen("a");
  ASSERT_OK(queue.notify({{"a", "before"}}));
  const Status status =
      queue->publish({5, invalid_transaction_id, 1, 1},
                     {{"a", std::string(7000, 'x')}, {"a", std::string(7000, 'y')}},
                     [] { return Status::error(ErrorCode::serialization_failure, "no"); });
  EXPECT(status.code() == ErrorCode::serialization_failure);
  ASSERT_OK(queue.notify({{"a", "after"}}));
  EXPECT(queue.hear(listener) == Lines({"a:before", "a:after"}));
}

TEST(entries_of_all_sizes_fill_pages) {
  Queue queue;
  const uint32_t listener = queue.listen("channel");
  auto random = test::random_engine();
  Lines sent;
  for (int round = 0; round < 400; ++round) {
    std::vector<Notification> some;
    for (uint64_t count = random() % 4; count > 0; --count) {
      const size_t size = random() % 4 == 0 ? random() % 8000 : random() % 60;
      some.push_back({"channel", std::string(size, static_cast<char>('a' + random() % 26))});
      sent.push_back("channel:" + some.back().payload);
    }
    ASSERT_OK(queue.notify(some));
    if (random() % 50 == 0) {
      const Lines heard = queue.hear(listener);
      EXPECT(heard == sent);
      sent.clear();
    }
  }
  EXPECT(queue.hear(listener) == sent);
}

TEST(what_is_not_read_goes_to_files_and_they_go_when_it_is) {
  Queue queue;
  const uint32_t quick = queue.listen("a");
  const uint32_t slow = queue.listen("a");
  EXPECT_EQ(queue.files(), 0u);
  const std::string payload(7900, 'p');
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(queue.notify({{"a", payload}}));
    EXPECT_EQ(queue.hear(quick).size(), 1u);
  }
  EXPECT(queue.files() >= 5u);
  EXPECT_EQ(queue.first_file().size(), 15u);
  EXPECT(queue->usage() > 0.0001);
  EXPECT_EQ(queue.hear(slow).size(), 200u);
  EXPECT(queue.files() <= 1u);
  EXPECT(queue->usage() < 0.00001);
  // A start finds nothing worth keeping.
  ASSERT_OK(queue->start());
  EXPECT_EQ(queue.files(), 0u);
}

TEST(one_who_hears_other_channels_holds_nothing_up) {
  Queue queue;
  const uint32_t idle = queue.listen("other");
  const uint32_t busy = queue.listen("a");
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(queue.notify({{"a", std::string(7000, 'p')}}));
    EXPECT_EQ(queue.hear(busy).size(), 1u);
  }
  EXPECT(queue->usage() < 0.00001);
  EXPECT(queue.hear(idle).empty());
}

TEST(a_full_queue_refuses_before_the_commit) {
  NotifyOptions options;
  options.max_notify_queue_pages = 4;
  Queue queue(options);
  const uint32_t listener = queue.listen("a");
  Status status;
  int sent = 0;
  for (; status.is_ok() && sent < 10; ++sent)
    status = queue.notify({{"a", std::string(7000, 'p')}});
  EXPECT(status.code() == ErrorCode::program_limit_exceeded);
  EXPECT_EQ(status.report().message, "too many notifications in the NOTIFY queue");
  EXPECT_EQ(queue.hear(listener).size(), static_cast<size_t>(sent - 1));
  ASSERT_OK(queue.notify({{"a", "again"}}));
  EXPECT(queue.hear(listener) == Lines({"a:again"}));
}

TEST(listeners_are_limited_and_the_dead_leave) {
  NotifyOptions options;
  options.listeners = 3;
  Queue queue(options);
  queue.listen("a", 5, 1);
  queue.listen("a", 5, 2);
  queue.listen("b", 5, 1);
  uint32_t listener = 0;
  EXPECT(queue->listen(3, queue.mailbox(), 5, "c", &listener).code() ==
         ErrorCode::configuration_limit_exceeded);
  queue->unlisten_all(1);
  queue.listen("c", 5, 3);
  ASSERT_OK(queue->listen(3, queue.mailbox(), 5, "d", &listener));
}

TEST(names_and_payloads_are_limited_as_postgresql_does) {
  EXPECT_EQ(check_notification("", "", 8192).report().message, "channel name cannot be empty");
  EXPECT_EQ(check_notification(std::string(64, 'c'), "", 8192).report().message,
            "channel name too long");
  EXPECT_EQ(check_notification("c", std::string(8000, 'p'), 8192).report().message,
            "payload string too long");
  EXPECT_OK(check_notification(std::string(63, 'c'), std::string(7999, 'p'), 8192));
  EXPECT(check_notification("c", std::string(1, '\0'), 8192).code() ==
         ErrorCode::character_not_in_repertoire);
}

TEST(pending_ones_are_kept_once_and_go_with_their_level) {
  PendingNotifications pending;
  const auto payloads = [&] {
    std::string all;
    for (const Notification& one : pending.all()) all += one.payload;
    return all;
  };
  pending.begin_subtransaction();
  pending.add({"a", "x"});
  pending.abort_subtransaction();
  EXPECT(pending.is_empty());
  pending.add({"a", "1"});
  pending.add({"a", "1"});
  pending.add({"b", "1"});
  pending.begin_subtransaction();
  pending.begin_subtransaction();
  pending.add({"a", "2"});
  pending.add({"a", "1"});
  pending.commit_subtransaction();
  pending.add({"a", "3"});
  pending.add({"a", "2"});
  pending.commit_subtransaction();
  EXPECT_EQ(payloads(), "1123");
  pending.begin_subtransaction();
  pending.add({"a", "4"});
  pending.abort_subtransaction();
  EXPECT_EQ(payloads(), "1123");
  pending.clear();
  EXPECT(pending.is_empty());
}

// Threads stand for processes: some notify, some listen and are woken by their bells, one comes and goes.
TEST(many_threads_hear_all_in_the_order_of_commits) {
  constexpr int senders = 3;
  constexpr int each = 400;
  constexpr int hearers = 3;
  Queue queue;
  std::atomic<int> order{0};
  std::vector<std::thread> threads;
  std::vector<Lines> heard(hearers);
  std::vector<uint32_t> listeners;
  for (int i = 0; i < hearers; ++i) listeners.push_back(queue.listen(i == 2 ? "even" : "all"));
  for (int i = 0; i < hearers; ++i) {
    threads.emplace_back([&, i] {
      std::atomic<uint32_t>& bell = queue.locks().bell(queue.mailbox());
      const size_t wanted = i == 2 ? senders * each / 2 : senders * each;
      while (heard[static_cast<size_t>(i)].size() < wanted) {
        const uint32_t rung = bell.load();
        if (!queue->has_news(listeners[static_cast<size_t>(i)])) {
          futex_wait(&bell, rung, 10000);
          continue;
        }
        for (std::string& one : queue.hear(listeners[static_cast<size_t>(i)]))
          heard[static_cast<size_t>(i)].push_back(std::move(one));
      }
    });
  }
  for (int i = 0; i < senders; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) {
        std::vector<Notification> some{{"all", std::string(static_cast<size_t>(n % 300), '.')}};
        if (n % 2 == 0) some.push_back({"even", "e"});
        NotifySender sender;
        sender.database = 5;
        TestCluster::must(queue->publish(sender, some, [&order] {
          order.fetch_add(1);
          return Status();
        }));
      }
    });
  }
  threads.emplace_back([&] {
    for (int n = 0; n < 100; ++n) {
      const uint32_t guest = queue.listen("all", 5, 9);
      queue.hear(guest);
      queue->unlisten(guest);
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order.load(), senders * each);
  EXPECT(heard[0] == heard[1]);
  EXPECT_EQ(heard[0].size(), static_cast<size_t>(senders * each));
}

TEST(the_wait_thread_reports_news) {
  Queue queue;
  std::atomic<uint64_t> reported{0};
  std::unique_ptr<WaitThread> thread;
  TestCluster::must(WaitThread::create(
      queue.locks(), queue.state(),
      [&](uint64_t ticket, Status status) {
        EXPECT_OK(status);
        reported.store(ticket);
        reported.notify_all();
      },
      &thread));
  uint32_t listener = 0;
  TestCluster::must(queue->listen(0, thread->mailbox(), 5, "a", &listener));
  thread->await(42, [&] { return queue->has_news(listener); });
  ASSERT_OK(queue.notify({{"b", "not for it"}}));
  EXPECT_EQ(reported.load(), 0u);
  ASSERT_OK(queue.notify({{"a", "1"}}));
  reported.wait(0);
  EXPECT_EQ(reported.load(), 42u);
  EXPECT(queue.hear(listener) == Lines({"a:1"}));
  // News that came before is reported at once.
  ASSERT_OK(queue.notify({{"a", "2"}}));
  reported.store(0);
  thread->await(43, [&] { return queue->has_news(listener); });
  reported.wait(0);
  EXPECT_EQ(reported.load(), 43u);
}

}  // namespace
}  // namespace pgdata

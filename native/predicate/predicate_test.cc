// Goal: serializable transactions that could have seen an anomaly do not all commit, those that could not do, and what
// is kept about them goes when it no longer matters.
// Method: transactions of a small real cluster over registers that the test keeps in memory: each read and write makes
// the calls that heap and btree make. Seeded histories in threads are checked for cycles of dependencies.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "predicate/predicate_transaction.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using predicate::Tag;
using test::TestCluster;
using test::TestClusterOptions;

constexpr Oid table_oid = 20000;
constexpr Oid index_oid = 20001;
constexpr PredicateRelation table{5, table_oid};
constexpr PredicateRelation index_of_table{5, index_oid};

class Fixture {
 public:
  explicit Fixture(PredicateOptions options = {}) : options_(options) {
    if (options_.max_backends == 128) options_.max_backends = 16;
    TestClusterOptions cluster_options;
    cluster_options.plan = [this](SegmentPlan& plan) { PredicateLocks::plan(plan, options_); };
    cluster_options.opened = [this](TestCluster& cluster) {
      std::filesystem::create_directories(cluster.directory() + "/pg_serial");
      locks_ = std::make_unique<PredicateLocks>(cluster.segment(), cluster.services(),
                                                cluster.transactions(), options_);
      cluster.transactions().set_serializable_transactions(locks_.get());
    };
    cluster_ = std::make_unique<TestCluster>(cluster_options);
  }

  TestCluster& cluster() { return *cluster_; }
  PredicateLocks& locks() { return *locks_; }
  std::unique_ptr<Backend> begin(bool read_only = false) {
    std::unique_ptr<Backend> backend = cluster_->backend();
    TestCluster::must(backend->begin(IsolationLevel::serializable, read_only));
    const Snapshot* snapshot = nullptr;
    TestCluster::must(backend->statement_snapshot(&snapshot));
    return backend;
  }
  bool holds(Tag tag) {
    for (const PredicateLocks::HeldLock& held : locks_->held_locks())
      if (held.tag == tag) return true;
    return false;
  }

 private:
  PredicateOptions options_;
  std::unique_ptr<PredicateLocks> locks_;
  std::unique_ptr<TestCluster> cluster_;
};

// Register `i` is line pointer i + 1 of page 0; its versions are kept here. One lock stands for the lock of the page.
class Registers {
 public:
  struct Version {
    TransactionId xid = invalid_transaction_id;  // invalid: the first
    int number = 0;
  };
  explicit Registers(int count) : versions_(static_cast<size_t>(count), {Version{}}) {}

  static ItemPointer tid(int i) { return {BlockNumber{0}, static_cast<OffsetNumber>(i + 1)}; }
  static constexpr Tag tag(int i) { return {5, table_oid, 0, static_cast<uint32_t>(i + 1)}; }

  // The version that the transaction's snapshot sees.
  Status read(Backend& backend, int i, int* number) {
    const std::lock_guard<std::mutex> guard(mutex_);
    const Snapshot* snapshot = nullptr;
    RETURN_IF_ERROR(backend.statement_snapshot(&snapshot));
    const std::vector<Version>& chain = versions_[static_cast<size_t>(i)];
    size_t at = chain.size();
    while (at-- > 0) {
      const Version& version = chain[at];
      bool visible = !is_valid(version.xid) || backend.is_current(version.xid);
      if (!visible && !snapshot->contains(version.xid)) {
        TransactionStatus status = TransactionStatus::in_progress;
        RETURN_IF_ERROR(backend.transactions().status_of(version.xid, &status));
        visible = status == TransactionStatus::committed;
        if (!visible) continue;
      }
      if (snapshot->serializable != nullptr) {
        PredicateTransaction& transaction = predicate_transaction(*snapshot->serializable);
        RETURN_IF_ERROR(transaction.check_doomed_reader());
        if (!visible) RETURN_IF_ERROR(transaction.conflict_out(version.xid));
        if (visible) RETURN_IF_ERROR(transaction.lock_tuple(table, tid(i), version.xid));
      }
      if (visible) {
        *number = version.number;
        return Status::ok;
      }
    }
    return Status::error(ErrorCode::internal_error, "register %d has no version to see", i);
  }

  // As an update: fails when another one that the snapshot does not see was there first.
  Status write(Backend& backend, int i, int* number) {
    TransactionId xid;
    RETURN_IF_ERROR(backend.assign_xid(&xid));
    const std::lock_guard<std::mutex> guard(mutex_);
    const Snapshot* snapshot = nullptr;
    RETURN_IF_ERROR(backend.statement_snapshot(&snapshot));
    std::vector<Version>& chain = versions_[static_cast<size_t>(i)];
    while (true) {
      const Version& last = chain.back();
      if (!is_valid(last.xid) || backend.is_current(last.xid)) break;
      bool running = false;
      RETURN_IF_ERROR(backend.transactions().is_in_progress(last.xid, &running));
      if (running)
        return Status::error(ErrorCode::lock_not_available, "register %d is being written", i);
      TransactionStatus status = TransactionStatus::in_progress;
      RETURN_IF_ERROR(backend.transactions().status_of(last.xid, &status));
      if (status != TransactionStatus::committed) {
        chain.pop_back();
        continue;
      }
      if (!snapshot->contains(last.xid)) break;
      return Status::error(ErrorCode::serialization_failure,
                           "could not serialize access due to concurrent update");
    }
    if (backend.serializable() != nullptr) {
      const ItemPointer address = tid(i);
      RETURN_IF_ERROR(predicate_transaction(*backend.serializable())
                          .conflict_in(table, &address, BlockNumber{0}));
    }
    *number = ++next_number_;
    chain.push_back({xid, *number});
    return Status::ok;
  }

  // Numbers of the versions that lasted, oldest first.
  std::vector<int> order(Backend& backend, int i) {
    std::vector<int> numbers;
    for (const Version& version : versions_[static_cast<size_t>(i)]) {
      TransactionStatus status = TransactionStatus::committed;
      if (is_valid(version.xid))
        TestCluster::must(backend.transactions().status_of(version.xid, &status));
      if (status == TransactionStatus::committed) numbers.push_back(version.number);
    }
    return numbers;
  }

 private:
  std::mutex mutex_;
  std::vector<std::vector<Version>> versions_;
  int next_number_ = 0;
};

Status finish(Backend& backend) {
  Lsn upto = invalid_lsn;
  Status status = backend.commit(false, &upto);
  if (!status.is_ok()) backend.abort();
  return status;
}

Status read(Registers& registers, Backend& backend, int i) {
  int number = 0;
  return registers.read(backend, i, &number);
}
Status write(Registers& registers, Backend& backend, int i) {
  int number = 0;
  return registers.write(backend, i, &number);
}

TEST(write_skew_does_not_commit) {
  Fixture fixture;
  Registers registers(2);
  auto first = fixture.begin();
  auto second = fixture.begin();
  ASSERT_OK(read(registers, *first, 0));
  ASSERT_OK(read(registers, *second, 1));
  ASSERT_OK(write(registers, *first, 1));
  ASSERT_OK(write(registers, *second, 0));
  EXPECT_OK(finish(*first));
  const Status status = finish(*second);
  EXPECT_EQ(status.code(), ErrorCode::serialization_failure);
  EXPECT_EQ(status.report().message,
            "could not serialize access due to read/write dependencies among transactions");
  EXPECT_EQ(status.report().detail,
            "Reason code: Canceled on identification as a pivot, during commit attempt.");
  EXPECT_EQ(status.report().hint, "The transaction might succeed if retried.");
}

TEST(who_writes_after_the_others_commit_learns_of_it_then) {
  Fixture fixture;
  Registers registers(2);
  auto first = fixture.begin();
  auto second = fixture.begin();
  ASSERT_OK(read(registers, *first, 0));
  ASSERT_OK(read(registers, *second, 1));
  ASSERT_OK(write(registers, *first, 1));
  EXPECT_OK(finish(*first));
  const Status status = write(registers, *second, 0);
  EXPECT_EQ(status.code(), ErrorCode::serialization_failure);
  EXPECT_EQ(status.report().detail,
            "Reason code: Canceled on identification as a pivot, during write.");
  // Whoever goes on in spite of the error does not get through.
  EXPECT_EQ(finish(*second).code(), ErrorCode::serialization_failure);
}

TEST(a_single_conflict_is_no_anomaly) {
  Fixture fixture;
  Registers registers(2);
  auto reader = fixture.begin();
  auto writer = fixture.begin();
  ASSERT_OK(read(registers, *reader, 0));
  ASSERT_OK(write(registers, *writer, 0));
  EXPECT_OK(finish(*writer));
  ASSERT_OK(write(registers, *reader, 1));
  EXPECT_OK(finish(*reader));
}

// Fekete, O'Neil, O'Neil: A Read-Only Transaction Anomaly Under Snapshot Isolation (2004).
TEST(a_reader_cannot_see_what_no_order_explains) {
  Fixture fixture;
  Registers registers(2);
  auto withdrawal = fixture.begin();
  ASSERT_OK(read(registers, *withdrawal, 0));
  ASSERT_OK(read(registers, *withdrawal, 1));
  auto deposit = fixture.begin();
  ASSERT_OK(read(registers, *deposit, 1));
  ASSERT_OK(write(registers, *deposit, 1));
  EXPECT_OK(finish(*deposit));
  auto report = fixture.begin(true);
  ASSERT_OK(read(registers, *report, 0));
  ASSERT_OK(read(registers, *report, 1));
  EXPECT_OK(finish(*report));
  // The report saw the deposit and not the withdrawal, which did not see the deposit.
  const Status written = write(registers, *withdrawal, 0);
  EXPECT_EQ(written.code(), ErrorCode::serialization_failure);
  EXPECT_EQ(finish(*withdrawal).code(), ErrorCode::serialization_failure);
}

TEST(a_reader_that_began_first_is_no_obstacle) {
  Fixture fixture;
  Registers registers(2);
  auto withdrawal = fixture.begin();
  ASSERT_OK(read(registers, *withdrawal, 0));
  ASSERT_OK(read(registers, *withdrawal, 1));
  auto report = fixture.begin(true);
  ASSERT_OK(read(registers, *report, 0));
  auto deposit = fixture.begin();
  ASSERT_OK(read(registers, *deposit, 1));
  ASSERT_OK(write(registers, *deposit, 1));
  EXPECT_OK(finish(*deposit));
  ASSERT_OK(read(registers, *report, 1));
  EXPECT_OK(finish(*report));
  EXPECT_OK(write(registers, *withdrawal, 0));
  EXPECT_OK(finish(*withdrawal));
}

TEST(snapshots_become_safe_or_unsafe) {
  Fixture fixture;
  Registers registers(3);
  auto alone = fixture.begin(true);
  EXPECT(alone->serializable() == nullptr);
  EXPECT_OK(finish(*alone));

  auto writer = fixture.begin();
  auto reader = fixture.begin(true);
  EXPECT(reader->serializable() != nullptr);
  ASSERT_OK(read(registers, *reader, 0));
  EXPECT(fixture.holds(Registers::tag(0)));
  ASSERT_OK(write(registers, *writer, 1));
  EXPECT_OK(finish(*writer));
  // Learned with the next read.
  ASSERT_OK(read(registers, *reader, 1));
  EXPECT(reader->serializable() == nullptr);
  EXPECT(!fixture.holds(Registers::tag(0)));
  EXPECT_OK(finish(*reader));
  EXPECT_EQ(fixture.locks().usage().transactions, 0u);
}

TEST(deferrable_transactions_wait_for_a_safe_snapshot) {
  Fixture fixture;
  Registers registers(3);
  auto withdrawal = fixture.begin();
  ASSERT_OK(read(registers, *withdrawal, 1));
  auto deposit = fixture.begin();
  ASSERT_OK(write(registers, *deposit, 1));
  EXPECT_OK(finish(*deposit));

  auto report = fixture.cluster().backend();
  ASSERT_OK(report->begin(IsolationLevel::serializable, true, true));
  bool is_safe = true;
  ASSERT_OK(report->safe_snapshot(&is_safe));
  EXPECT(!is_safe);
  const Snapshot* snapshot = nullptr;
  EXPECT_EQ(report->statement_snapshot(&snapshot).code(),
            ErrorCode::object_not_in_prerequisite_state);
  // Commits with a conflict out to the deposit, which the report's snapshot sees.
  ASSERT_OK(write(registers, *withdrawal, 0));
  EXPECT_OK(finish(*withdrawal));
  ASSERT_OK(report->safe_snapshot(&is_safe));
  EXPECT(!is_safe);  // that snapshot was unsafe; the next one is taken with the next question
  ASSERT_OK(report->safe_snapshot(&is_safe));
  EXPECT(is_safe);
  EXPECT(report->serializable() == nullptr);
  int first = 0;
  int second = 0;
  ASSERT_OK(registers.read(*report, 0, &first));
  ASSERT_OK(registers.read(*report, 1, &second));
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
  EXPECT_OK(finish(*report));
}

TEST(many_locks_become_fewer_coarser_ones) {
  Fixture fixture;
  auto backend = fixture.begin();
  PredicateTransaction& transaction = predicate_transaction(*backend->serializable());
  const auto lock = [&](uint32_t block, OffsetNumber item) {
    ASSERT_OK(
        transaction.lock_tuple(table, {BlockNumber{block}, item}, first_normal_transaction_id));
  };
  lock(7, 1);
  lock(7, 2);
  EXPECT(fixture.holds({5, table_oid, 7, 1}));
  EXPECT(fixture.holds({5, table_oid, 7, 2}));
  lock(7, 3);
  EXPECT(!fixture.holds({5, table_oid, 7, 1}));
  EXPECT(fixture.holds({5, table_oid, 7, 0}));
  EXPECT_EQ(fixture.locks().usage().locks, 1u);
  lock(7, 4);
  EXPECT_EQ(fixture.locks().usage().locks, 1u);
  // max_pred_locks_per_transaction 64, of which one relation may have half, less one.
  for (uint32_t block = 100; block < 130; block++) lock(block, 1);
  EXPECT_EQ(fixture.locks().usage().locks, 31u);
  lock(130, 1);
  EXPECT_EQ(fixture.locks().usage().locks, 1u);
  EXPECT(fixture.holds({5, table_oid, Tag::no_page, 0}));
  ASSERT_OK(transaction.lock_page(index_of_table, BlockNumber{3}));
  EXPECT_EQ(fixture.locks().usage().locks, 2u);
  EXPECT_OK(finish(*backend));
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
  EXPECT_EQ(fixture.locks().usage().targets, 0u);
}

TEST(catalogs_are_not_watched) {
  Fixture fixture;
  auto backend = fixture.begin();
  PredicateTransaction& transaction = predicate_transaction(*backend->serializable());
  ASSERT_OK(transaction.lock_relation({5, 1259}));
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
}

TEST(a_row_that_is_written_needs_no_lock_any_more) {
  Fixture fixture;
  Registers registers(2);
  auto backend = fixture.begin();
  ASSERT_OK(read(registers, *backend, 0));
  EXPECT(fixture.holds(Registers::tag(0)));
  ASSERT_OK(write(registers, *backend, 0));
  EXPECT(!fixture.holds(Registers::tag(0)));
  ASSERT_OK(read(registers, *backend, 0));
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
  EXPECT_OK(finish(*backend));
}

TEST(a_row_that_is_written_in_a_savepoint_keeps_its_lock) {
  Fixture fixture;
  Registers registers(2);
  auto other = fixture.begin();
  auto backend = fixture.begin();
  ASSERT_OK(read(registers, *backend, 0));
  ASSERT_OK(backend->begin_subtransaction(false));
  PredicateTransaction& transaction = predicate_transaction(*backend->serializable());
  TransactionId xid;
  ASSERT_OK(backend->assign_xid(&xid));
  const ItemPointer address = Registers::tid(0);
  ASSERT_OK(transaction.conflict_in(table, &address, BlockNumber{0}, true));
  EXPECT(fixture.holds(Registers::tag(0)));
  backend->abort_subtransaction();
  // Its reading still counts, and it is found by the id of the whole transaction.
  ASSERT_OK(write(registers, *other, 0));
  EXPECT_EQ(fixture.locks().usage().conflicts, 1u);
  ASSERT_OK(write(registers, *backend, 1));
  ASSERT_OK(read(registers, *other, 1));
  EXPECT_EQ(fixture.locks().usage().conflicts, 2u);
  EXPECT_OK(finish(*other));
  EXPECT_EQ(finish(*backend).code(), ErrorCode::serialization_failure);
}

TEST(locks_outlive_their_transaction_while_others_overlap_it) {
  Fixture fixture;
  Registers registers(2);
  auto old = fixture.begin();
  auto reader = fixture.begin();
  ASSERT_OK(read(registers, *reader, 0));
  ASSERT_OK(write(registers, *reader, 1));
  EXPECT_OK(finish(*reader));
  EXPECT(fixture.holds(Registers::tag(0)));
  auto later = fixture.begin();
  EXPECT_OK(finish(*old));
  // Nobody who could conflict is left: the later one began after the reader's end.
  EXPECT(!fixture.holds(Registers::tag(0)));
  EXPECT_OK(finish(*later));
  EXPECT_EQ(fixture.locks().usage().transactions, 0u);
  EXPECT_EQ(fixture.locks().usage().conflicts, 0u);
  EXPECT(!fixture.locks().in_use());
}

TEST(a_rollback_leaves_nothing) {
  Fixture fixture;
  Registers registers(2);
  auto other = fixture.begin();
  auto backend = fixture.begin();
  ASSERT_OK(read(registers, *backend, 0));
  ASSERT_OK(write(registers, *backend, 1));
  ASSERT_OK(write(registers, *other, 0));
  EXPECT_EQ(fixture.locks().usage().conflicts, 1u);
  backend->abort();
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
  EXPECT_EQ(fixture.locks().usage().conflicts, 0u);
  EXPECT_EQ(fixture.locks().usage().transactions, 1u);
  EXPECT_OK(finish(*other));
}

TEST(a_page_split_copies_the_locks) {
  Fixture fixture;
  auto backend = fixture.begin();
  PredicateTransaction& transaction = predicate_transaction(*backend->serializable());
  ASSERT_OK(transaction.lock_page(index_of_table, BlockNumber{3}));
  fixture.locks().page_split(5, index_oid, BlockNumber{3}, BlockNumber{9});
  EXPECT(fixture.holds({5, index_oid, 3, 0}));
  EXPECT(fixture.holds({5, index_oid, 9, 0}));
  fixture.locks().page_split(5, index_oid, BlockNumber{4}, BlockNumber{10});
  EXPECT_EQ(fixture.locks().usage().locks, 2u);
  fixture.locks().page_combine(5, index_oid, BlockNumber{9}, BlockNumber{3});
  EXPECT_EQ(fixture.locks().usage().locks, 2u);
  EXPECT_OK(finish(*backend));
  EXPECT_EQ(fixture.locks().usage().targets, 0u);
}

TEST(a_page_split_without_room_locks_the_whole_index) {
  PredicateOptions options;
  options.max_backends = 16;
  options.max_pred_locks_per_transaction = 2;
  options.max_pred_locks_per_relation = 1000;
  Fixture fixture(options);
  auto backend = fixture.begin();
  PredicateTransaction& transaction = predicate_transaction(*backend->serializable());
  uint32_t block = 0;
  Status status;
  while ((status = transaction.lock_page(index_of_table, BlockNumber{block})).is_ok()) block++;
  EXPECT_EQ(status.code(), ErrorCode::out_of_memory);
  EXPECT_EQ(status.report().hint, "You might need to increase \"max_pred_locks_per_transaction\".");
  EXPECT_EQ(block, 32u);
  fixture.locks().page_split(5, index_oid, BlockNumber{3}, BlockNumber{90});
  EXPECT(!fixture.holds({5, index_oid, 3, 0}));
  EXPECT(fixture.holds({5, index_oid, Tag::no_page, 0}));
  // What was read without a lock cannot be relied on.
  EXPECT_EQ(finish(*backend).code(), ErrorCode::serialization_failure);
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
}

TEST(a_rewritten_table_keeps_one_lock_of_each_reader) {
  Fixture fixture;
  Registers registers(3);
  auto first = fixture.begin();
  auto second = fixture.begin();
  ASSERT_OK(read(registers, *first, 0));
  ASSERT_OK(read(registers, *first, 1));
  ASSERT_OK(read(registers, *second, 1));
  PredicateTransaction& transaction = predicate_transaction(*second->serializable());
  ASSERT_OK(transaction.lock_page(index_of_table, BlockNumber{3}));
  fixture.locks().transfer_to_heap(5, table_oid, table_oid);
  EXPECT(fixture.holds({5, table_oid, Tag::no_page, 0}));
  EXPECT_EQ(fixture.locks().usage().targets, 2u);
  EXPECT_EQ(fixture.locks().usage().locks, 3u);
  fixture.locks().transfer_to_heap(5, index_oid, table_oid);
  EXPECT_EQ(fixture.locks().usage().targets, 1u);
  EXPECT_EQ(fixture.locks().usage().locks, 2u);
  EXPECT_OK(finish(*first));
  EXPECT_OK(finish(*second));
}

TEST(a_table_that_is_emptied_conflicts_with_its_readers) {
  Fixture fixture;
  Registers registers(3);
  auto reader = fixture.begin();
  ASSERT_OK(read(registers, *reader, 0));
  auto writer = fixture.begin();
  TransactionId xid;
  ASSERT_OK(writer->assign_xid(&xid));
  ASSERT_OK(read(registers, *writer, 1));
  ASSERT_OK(predicate_transaction(*writer->serializable()).conflict_in_whole_table(table));
  EXPECT_EQ(fixture.locks().usage().conflicts, 1u);
  ASSERT_OK(write(registers, *reader, 1));
  EXPECT_OK(finish(*writer));
  EXPECT_EQ(finish(*reader).code(), ErrorCode::serialization_failure);
}

// With room for few transactions, those that ended are summarised while an old one keeps them of interest.
TEST(summarised_transactions_still_conflict) {
  PredicateOptions options;
  options.max_backends = 8;
  options.transactions_per_backend = 1;
  Fixture fixture(options);
  Registers registers(40);
  auto old = fixture.begin();
  ASSERT_OK(read(registers, *old, 0));
  for (int i = 1; i < 30; i++) {
    auto backend = fixture.begin();
    ASSERT_OK(read(registers, *backend, i));
    ASSERT_OK(write(registers, *backend, i));
    ASSERT_OK(read(registers, *backend, i + 1));
    EXPECT_OK(finish(*backend));
  }
  EXPECT(fixture.locks().usage().transactions <= 8u);
  // The old one did not see the write of a summarised one (which has no conflict out itself): allowed.
  EXPECT_OK(read(registers, *old, 3));
  // It writes what a summarised one has read, and so comes after it: between the two, it is a pivot.
  const Status status = write(registers, *old, 30);
  if (status.is_ok())
    EXPECT_EQ(finish(*old).code(), ErrorCode::serialization_failure);
  else
    EXPECT_EQ(status.code(), ErrorCode::serialization_failure);
  if (old->in_transaction()) old->abort();
  EXPECT_EQ(fixture.locks().usage().transactions, 0u);
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
}

TEST(a_summarised_pivot_is_remembered_in_pg_serial) {
  PredicateOptions options;
  options.max_backends = 8;
  options.transactions_per_backend = 1;
  Fixture fixture(options);
  Registers registers(40);
  auto old = fixture.begin();
  ASSERT_OK(read(registers, *old, 39));
  // `pivot` has a conflict out to `out`, which commits first.
  auto pivot = fixture.begin();
  ASSERT_OK(read(registers, *pivot, 0));
  auto out = fixture.begin();
  ASSERT_OK(write(registers, *out, 0));
  EXPECT_OK(finish(*out));
  ASSERT_OK(write(registers, *pivot, 1));
  EXPECT_OK(finish(*pivot));
  const TransactionId pivot_xid = TransactionId{value_of(first_normal_transaction_id) + 1};
  for (int i = 2; i < 30; i++) {
    auto backend = fixture.begin();
    ASSERT_OK(write(registers, *backend, i));
    EXPECT_OK(finish(*backend));
  }
  // The old one appears to come before the pivot.
  const Status status = read(registers, *old, 1);
  EXPECT_EQ(status.code(), ErrorCode::serialization_failure);
  EXPECT_EQ(status.report().detail, "Reason code: Canceled on conflict out to old pivot " +
                                        std::to_string(value_of(pivot_xid)) + ".");
  old->abort();
}

TEST(more_transactions_than_there_is_room_for) {
  PredicateOptions options;
  options.max_backends = 2;
  options.transactions_per_backend = 1;
  Fixture fixture(options);
  auto first = fixture.begin();
  auto second = fixture.begin();
  auto third = fixture.cluster().backend();
  ASSERT_OK(third->begin(IsolationLevel::serializable, false));
  const Snapshot* snapshot = nullptr;
  EXPECT_EQ(third->statement_snapshot(&snapshot).code(), ErrorCode::out_of_memory);
  EXPECT_OK(finish(*first));
  EXPECT_OK(third->statement_snapshot(&snapshot));
  third->abort();
  second->abort();
}

TEST(serial_log_keeps_what_lies_between_the_xmin_and_the_newest) {
  Fixture fixture;
  SegmentPlan plan;
  predicate::SerialLog::plan(plan, 8192);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  predicate::SerialLog log(*segment, fixture.cluster().services());
  predicate::CommitSeq commit = 0;
  ASSERT_OK(log.find(TransactionId{5000}, &commit));
  EXPECT_EQ(commit, predicate::no_commit_seq);
  log.set_oldest_xmin(TransactionId{1000});
  ASSERT_OK(log.add(TransactionId{5000}, 17));
  ASSERT_OK(log.add(TransactionId{1500}, predicate::never_commit_seq));
  // More pages than there are buffers: the first ones go to the files and come back.
  for (uint32_t xid = 6000; xid < 6000 + 1024 * 80; xid += 1024)
    ASSERT_OK(log.add(TransactionId{xid}, xid));
  ASSERT_OK(log.find(TransactionId{5000}, &commit));
  EXPECT_EQ(commit, 17u);
  ASSERT_OK(log.find(TransactionId{1500}, &commit));
  EXPECT_EQ(commit, predicate::never_commit_seq);
  ASSERT_OK(log.find(TransactionId{1501}, &commit));
  EXPECT_EQ(commit, predicate::no_commit_seq);
  log.set_oldest_xmin(TransactionId{2000});
  ASSERT_OK(log.find(TransactionId{1500}, &commit));
  EXPECT_EQ(commit, predicate::no_commit_seq);
  ASSERT_OK(log.find(TransactionId{6000 + 1024 * 7}, &commit));
  EXPECT_EQ(commit, 6000u + 1024 * 7);
  log.set_oldest_xmin(invalid_transaction_id);
  ASSERT_OK(log.find(TransactionId{5000}, &commit));
  EXPECT_EQ(commit, predicate::no_commit_seq);
}

// The last transaction may end between the search for one to summarise and the note of it.
TEST(serial_log_keeps_nothing_that_nobody_will_ask_for) {
  Fixture fixture;
  SegmentPlan plan;
  predicate::SerialLog::plan(plan, 8192);
  std::unique_ptr<Segment> segment;
  ASSERT_OK(Segment::create("", plan, &segment));
  predicate::SerialLog log(*segment, fixture.cluster().services());
  log.set_oldest_xmin(TransactionId{1000});
  log.set_oldest_xmin(invalid_transaction_id);
  ASSERT_OK(log.add(TransactionId{5000}, 17));
  log.set_oldest_xmin(TransactionId{6000});
  ASSERT_OK(log.add(TransactionId{6500}, 18));
  predicate::CommitSeq commit = 0;
  ASSERT_OK(log.find(TransactionId{5000}, &commit));
  EXPECT_EQ(commit, predicate::no_commit_seq);
  ASSERT_OK(log.find(TransactionId{6500}, &commit));
  EXPECT_EQ(commit, 18u);
}

// One transaction of a history: what it read, and what it wrote, as numbers of versions.
struct Done {
  std::vector<std::pair<int, int>> reads;   // register, version
  std::vector<std::pair<int, int>> writes;  // register, version
};

// Whether the committed transactions depend on each other in a circle: by versions that follow each other, by reading
// a version, or by reading the one before.
bool has_cycle(const std::vector<Done>& history, const std::vector<std::vector<int>>& orders) {
  std::map<int, size_t> writer_of;
  for (size_t t = 0; t < history.size(); t++)
    for (const auto& [i, version] : history[t].writes) writer_of[version] = t;
  std::vector<std::set<size_t>> after(history.size());
  const auto follows = [&](int earlier, size_t later) {
    const auto found = writer_of.find(earlier);
    if (found != writer_of.end() && found->second != later) after[found->second].insert(later);
  };
  std::map<int, int> next_version;
  for (size_t i = 0; i < orders.size(); i++) {
    for (size_t v = 1; v < orders[i].size(); v++) {
      next_version[static_cast<int>(i) * 1000000 + orders[i][v - 1]] = orders[i][v];
      const auto found = writer_of.find(orders[i][v]);
      if (found != writer_of.end()) follows(orders[i][v - 1], found->second);
    }
  }
  for (size_t t = 0; t < history.size(); t++) {
    for (const auto& [i, version] : history[t].reads) {
      follows(version, t);
      const auto next = next_version.find(i * 1000000 + version);
      if (next == next_version.end()) continue;
      const auto writer = writer_of.find(next->second);
      if (writer != writer_of.end() && writer->second != t) after[t].insert(writer->second);
    }
  }
  std::vector<int> state(history.size(), 0);
  std::function<bool(size_t)> visit = [&](size_t t) {
    if (state[t] == 1) return true;
    if (state[t] == 2) return false;
    state[t] = 1;
    for (const size_t next : after[t])
      if (visit(next)) return true;
    state[t] = 2;
    return false;
  };
  for (size_t t = 0; t < history.size(); t++)
    if (visit(t)) return true;
  return false;
}

// Runs transactions over few registers in threads; returns whether their dependencies have a cycle.
bool run_history(IsolationLevel level, const PredicateOptions& options, uint64_t seed, int threads,
                 int per_thread, int* committed) {
  constexpr int count = 6;
  Fixture fixture(options);
  Registers registers(count);
  std::mutex mutex;
  std::vector<Done> history;
  std::vector<std::thread> workers;
  for (int w = 0; w < threads; w++) {
    workers.emplace_back([&, w] {
      std::mt19937_64 random(seed * 31 + static_cast<uint64_t>(w));
      std::unique_ptr<Backend> backend = fixture.cluster().backend();
      for (int n = 0; n < per_thread; n++) {
        Done done;
        const bool read_only = random() % 5 == 0;
        TestCluster::must(backend->begin(level, read_only));
        Status status;
        std::map<int, int> own;
        for (int step = 0; step < 4 && status.is_ok(); step++) {
          const int i = static_cast<int>(random() % count);
          int version = 0;
          if (!read_only && random() % 2 == 0) {
            status = registers.write(*backend, i, &version);
            if (status.is_ok()) own[i] = version;
          } else {
            status = registers.read(*backend, i, &version);
            if (status.is_ok() && own.find(i) == own.end()) done.reads.emplace_back(i, version);
          }
          std::this_thread::yield();
        }
        for (const auto& [i, version] : own) done.writes.emplace_back(i, version);
        if (!status.is_ok()) {
          backend->abort();
          continue;
        }
        if (!finish(*backend).is_ok()) continue;
        const std::lock_guard<std::mutex> guard(mutex);
        history.push_back(std::move(done));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  *committed += static_cast<int>(history.size());
  std::unique_ptr<Backend> backend = fixture.cluster().backend();
  // A transaction's own versions but the last are nobody else's.
  std::set<int> last_versions{0};
  for (const Done& done : history)
    for (const auto& [i, version] : done.writes) last_versions.insert(version);
  std::vector<std::vector<int>> orders;
  for (int i = 0; i < count; i++) {
    std::vector<int> order = registers.order(*backend, i);
    std::erase_if(order, [&](int version) { return last_versions.count(version) == 0; });
    orders.push_back(std::move(order));
  }
  EXPECT_EQ(fixture.locks().usage().transactions, 0u);
  EXPECT_EQ(fixture.locks().usage().locks, 0u);
  EXPECT_EQ(fixture.locks().usage().conflicts, 0u);
  return has_cycle(history, orders);
}

TEST(histories_of_threads_are_serializable) {
  PredicateOptions options;
  options.max_backends = 8;
  auto random = test::random_engine();
  int committed = 0;
  for (int round = 0; round < 12; round++)
    EXPECT(!run_history(IsolationLevel::serializable, options, random(), 4, 60, &committed));
  EXPECT(committed > 12 * 4 * 60 / 10);
}

TEST(histories_of_threads_are_serializable_with_summaries) {
  PredicateOptions options;
  options.max_backends = 8;
  options.transactions_per_backend = 1;
  auto random = test::random_engine();
  int committed = 0;
  for (int round = 0; round < 12; round++)
    EXPECT(!run_history(IsolationLevel::serializable, options, random(), 6, 40, &committed));
  EXPECT(committed > 0);
}

// The check above has an edge: snapshots alone do not pass it.
TEST(histories_of_snapshots_alone_are_not_serializable) {
  PredicateOptions options;
  options.max_backends = 8;
  auto random = test::random_engine();
  int committed = 0;
  int cycles = 0;
  for (int round = 0; round < 12; round++)
    cycles += run_history(IsolationLevel::repeatable_read, options, random(), 4, 60, &committed);
  EXPECT(cycles > 0);
}

}  // namespace
}  // namespace pgdata

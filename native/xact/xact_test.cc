// Goal: a transaction is seen whole or not at all, by everybody, and its outcome lasts.
// Method: unit tests over a small real cluster; a seeded bank whose total every snapshot must see
// unchanged while threads transfer, commit and abort; log records read back with WalReader.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "layout/wal_record.h"
#include "layout/wal_storage_records.h"
#include "layout/wal_transaction_records.h"
#include "xact/process_array.h"
#include "xact/slru.h"
#include "xact/test_cluster.h"
#include "xact/transaction_fixture.h"

namespace pgdata {
namespace {

using test::begin_writing;
using test::commit_now;
using test::is_running;
using test::LoggedRecord;
using test::records_of;
using test::status_of;
using test::TestCluster;
using test::TestClusterOptions;

TEST(outcomes_are_remembered) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const TransactionId first = begin_writing(*backend);
  EXPECT_EQ(value_of(first), 3);
  EXPECT(is_running(cluster, first));
  commit_now(*backend);
  EXPECT(!is_running(cluster, first));
  EXPECT_EQ(status_of(cluster, first), TransactionStatus::committed);
  const TransactionId second = begin_writing(*backend);
  backend->abort();
  EXPECT_EQ(status_of(cluster, second), TransactionStatus::aborted);
  EXPECT_EQ(status_of(cluster, bootstrap_transaction_id), TransactionStatus::committed);
  EXPECT_EQ(status_of(cluster, frozen_transaction_id), TransactionStatus::committed);
  EXPECT_EQ(status_of(cluster, invalid_transaction_id), TransactionStatus::aborted);
}

TEST(a_transaction_that_writes_nothing_takes_no_xid_and_logs_nothing) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const uint64_t before = cluster.wal().statistics().records;
  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  const Snapshot* snapshot = nullptr;
  TestCluster::must(backend->statement_snapshot(&snapshot));
  Lsn upto = 1;
  TestCluster::must(backend->commit(false, &upto));
  EXPECT_EQ(upto, invalid_lsn);
  EXPECT_EQ(cluster.wal().statistics().records, before);
  EXPECT_EQ(cluster.transactions().next_full_xid(), 3);
}

TEST(commit_and_abort_records_have_postgres_layout) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const RelFileLocator made{1663, 5, 16384};
  const TransactionId first = begin_writing(*backend);
  TestCluster::must(backend->create_storage(made, true));
  commit_now(*backend);
  const TransactionId second = begin_writing(*backend);
  backend->drop_storage_at_commit(made);
  backend->force_sync_commit();
  commit_now(*backend);
  const TransactionId third = begin_writing(*backend);
  const RelFileLocator undone{1663, 5, 16385};
  TestCluster::must(backend->create_storage(undone, true));
  backend->abort();

  const std::vector<LoggedRecord> records = records_of(cluster, RmgrId::transaction);
  ASSERT_EQ(records.size(), 3);
  EXPECT_EQ(records[0].xid, first);
  EXPECT_EQ(records[0].info, XLOG_XACT_COMMIT);
  EXPECT_EQ(records[0].data.size(), 8);
  const auto age = current_timestamp() - load<TimestampTz>(records[0].data.data());
  EXPECT(age >= 0 && age < 600'000'000);

  EXPECT_EQ(records[1].xid, second);
  EXPECT_EQ(records[1].info, XLOG_XACT_COMMIT | XLOG_XACT_HAS_INFO | XLR_SPECIAL_REL_UPDATE);
  ASSERT_EQ(records[1].data.size(), 8 + 4 + 4 + 12);
  EXPECT_EQ(load<uint32_t>(&records[1].data[8]),
            XACT_XINFO_HAS_RELFILELOCATORS | XACT_COMPLETION_FORCE_SYNC_COMMIT);
  EXPECT_EQ(load<int32_t>(&records[1].data[12]), 1);
  EXPECT(load<RelFileLocator>(&records[1].data[16]) == made);

  EXPECT_EQ(records[2].xid, third);
  EXPECT_EQ(records[2].info, XLOG_XACT_ABORT | XLOG_XACT_HAS_INFO | XLR_SPECIAL_REL_UPDATE);
  ASSERT_EQ(records[2].data.size(), 8 + 4 + 4 + 12);
  EXPECT_EQ(load<uint32_t>(&records[2].data[8]), XACT_XINFO_HAS_RELFILELOCATORS);
  EXPECT(load<RelFileLocator>(&records[2].data[16]) == undone);

  const std::vector<LoggedRecord> files = records_of(cluster, RmgrId::storage);
  ASSERT_EQ(files.size(), 2);
  EXPECT_EQ(files[0].info, XLOG_SMGR_CREATE | XLR_SPECIAL_REL_UPDATE);
  EXPECT_EQ(files[0].data.size(), 16);
  EXPECT(load<RelFileLocator>(files[0].data.data()) == made);
}

TEST(created_files_vanish_on_abort_and_dropped_ones_on_commit) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const RelFileLocator relation{1663, 5, 20000};
  uint32_t blocks = 0;
  bool exists = false;

  begin_writing(*backend);
  TestCluster::must(backend->create_storage(relation, true));
  TestCluster::must(cluster.storage().exists(relation, ForkNumber::main, &exists));
  EXPECT(exists);
  TestCluster::must(cluster.storage().extend(relation, ForkNumber::main, BlockNumber{0}, 3));
  commit_now(*backend);
  TestCluster::must(cluster.storage().block_count(relation, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 3);

  // A drop that is taken back.
  begin_writing(*backend);
  backend->drop_storage_at_commit(relation);
  backend->abort();
  TestCluster::must(cluster.storage().block_count(relation, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 3);

  // The drop of a relation made in the same transaction, and one made and given up.
  const RelFileLocator brief{1663, 5, 20001};
  begin_writing(*backend);
  TestCluster::must(backend->create_storage(brief, true));
  backend->drop_storage_at_commit(brief);
  backend->drop_storage_at_commit(relation);
  Lsn upto = 1;
  TestCluster::must(backend->commit(false, &upto));
  EXPECT_EQ(upto, invalid_lsn);  // files went, so it waited
  const RelFileLocator undone{1663, 5, 20002};
  begin_writing(*backend);
  TestCluster::must(backend->create_storage(undone, true));
  TestCluster::must(cluster.storage().extend(undone, ForkNumber::main, BlockNumber{0}, 2));
  backend->abort();
  cluster.storage().begin_checkpoint();
  TestCluster::must(cluster.storage().remove_unlinked());
  for (const RelFileLocator& gone : {relation, brief, undone}) {
    EXPECT(!std::filesystem::exists(cluster.directory() + "/" +
                                    cluster.storage().relation_path(gone, ForkNumber::main)));
  }
}

TEST(a_commit_without_flush_holds_its_position_until_the_log_is_durable) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const TransactionId xid = begin_writing(*backend);
  Lsn upto = invalid_lsn;
  TestCluster::must(backend->commit(false, &upto));
  EXPECT_NE(upto, invalid_lsn);
  TransactionStatus status{};
  Lsn lsn = invalid_lsn;
  if (cluster.wal().flushed() < upto) {
    TestCluster::must(cluster.transactions().status_of(xid, &status, &lsn));
    EXPECT_EQ(status, TransactionStatus::committed);
    EXPECT_EQ(lsn, upto);
  }
  // Writing the page of the commit log forces the log out first.
  TestCluster::must(cluster.transactions().write_all_dirty());
  EXPECT(cluster.wal().flushed() >= upto);
  TestCluster::must(cluster.transactions().status_of(xid, &status, &lsn));
  EXPECT_EQ(lsn, invalid_lsn);
  TestCluster::must(cluster.transactions().status_of(xid, &status, &lsn));  // now from the cache
  EXPECT_EQ(status, TransactionStatus::committed);
  EXPECT_EQ(lsn, invalid_lsn);
}

TEST(restart_keeps_counters_and_outcomes) {
  TestCluster cluster;
  std::mt19937_64 random = test::random_engine();
  std::map<uint32_t, TransactionStatus> outcomes;
  Oid last_oid = 0;
  for (int round = 0; round < 4; ++round) {
    {
      auto backend = cluster.backend();
      for (int i = 0; i < 200; ++i) {
        const TransactionId xid = begin_writing(*backend);
        EXPECT(!outcomes.contains(value_of(xid)));
        if (random() % 3 == 0) {
          backend->abort();
          outcomes[value_of(xid)] = TransactionStatus::aborted;
        } else {
          Lsn upto = 0;
          TestCluster::must(backend->commit(random() % 8 == 0, &upto));
          outcomes[value_of(xid)] = TransactionStatus::committed;
        }
        Oid oid = 0;
        TestCluster::must(cluster.transactions().new_oid(&oid));
        EXPECT(oid > last_oid);
        last_oid = oid;
      }
    }
    const TransactionCounters before = cluster.transactions().counters();
    cluster.restart();
    const TransactionCounters after = cluster.transactions().counters();
    EXPECT_EQ(after.nextXid, before.nextXid);
    EXPECT_EQ(after.nextOid, before.nextOid);
    EXPECT_EQ(after.nextXid, outcomes.rbegin()->first + 1);
    for (const auto& [xid, status] : outcomes) {
      EXPECT_EQ(status_of(cluster, TransactionId{xid}), status);
      EXPECT(!is_running(cluster, TransactionId{xid}));
    }
  }
}

TEST(a_new_commit_log_page_is_made_and_logged) {
  TransactionCounters counters;
  counters.nextXid = 32768 - 2;
  TestCluster cluster({}, counters);
  {
    auto backend = cluster.backend();
    for (int i = 0; i < 5; ++i) {
      const TransactionId xid = begin_writing(*backend);
      EXPECT_EQ(value_of(xid), 32766 + i);
      commit_now(*backend);
    }
  }
  const std::vector<LoggedRecord> records = records_of(cluster, RmgrId::clog);
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(records[0].info, CLOG_ZEROPAGE);
  ASSERT_EQ(records[0].data.size(), 8);
  EXPECT_EQ(load<int64_t>(records[0].data.data()), 1);
  cluster.restart();
  EXPECT_EQ(std::filesystem::file_size(cluster.directory() + "/pg_xact/0000"), 16384);
  for (uint32_t xid = 32766; xid < 32771; ++xid) {
    EXPECT_EQ(status_of(cluster, TransactionId{xid}), TransactionStatus::committed);
  }
}

TEST(a_start_forgets_outcomes_of_transactions_that_are_still_to_come) {
  TestCluster cluster;
  {
    auto backend = cluster.backend();
    for (int i = 0; i < 6; ++i) {
      begin_writing(*backend);
      commit_now(*backend);
    }
  }
  TransactionCounters counters = cluster.transactions().counters();
  counters.nextXid = 5;  // as after a crash that lost the later ones' records
  cluster.restart_with(counters);
  EXPECT_EQ(status_of(cluster, TransactionId{4}), TransactionStatus::committed);
  for (uint32_t xid = 5; xid < 9; ++xid) {
    EXPECT_EQ(status_of(cluster, TransactionId{xid}), TransactionStatus::in_progress);
  }
}

TEST(xids_are_refused_near_the_wraparound_and_pass_over_the_permanent_ones) {
  TransactionCounters counters;
  counters.oldestXid = TransactionId{100};
  counters.oldestXidDB = 7;
  counters.nextXid = 100 + 0x7FFFFFFFu - 3'000'000;
  // The page of that xid exists in such a cluster.
  TestCluster cluster;
  std::filesystem::create_directories(cluster.directory() + "/pg_xact");
  const uint64_t page = counters.nextXid / 32768;
  char name[16];
  std::snprintf(name, sizeof(name), "/pg_xact/%04X", static_cast<unsigned>(page / 32));
  std::ofstream(cluster.directory() + name, std::ios::binary)
      << std::string(size_t{8192} * 32, '\0');
  cluster.restart_with(counters);
  {
    auto backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TransactionId xid{};
    const Status refused = backend->assign_xid(&xid);
    EXPECT_EQ(refused.code(), ErrorCode::program_limit_exceeded);
    EXPECT(refused.report().message.find("to avoid wraparound data loss in database with OID 7") !=
           std::string::npos);
    EXPECT_EQ(backend->xid(), invalid_transaction_id);
    backend->abort();
    cluster.transactions().set_oldest_xid(TransactionId{101}, 7);
    EXPECT_EQ(value_of(begin_writing(*backend)), 100 + 0x7FFFFFFFu - 3'000'000);
    backend->abort();
  }
  // Around the end of the 32 bits.
  counters.nextXid = 0xFFFFFFFFu;
  counters.oldestXid = TransactionId{0xFFFFFF00u};
  std::snprintf(name, sizeof(name), "/pg_xact/%04X", 0xFFFFFFFFu / 32768 / 32);
  std::ofstream(cluster.directory() + name, std::ios::binary)
      << std::string(size_t{8192} * 32, '\0');
  cluster.restart_with(counters);
  auto backend = cluster.backend();
  EXPECT_EQ(value_of(begin_writing(*backend)), 0xFFFFFFFFu);
  commit_now(*backend);
  EXPECT_EQ(value_of(begin_writing(*backend)), 3);
  commit_now(*backend);
  EXPECT_EQ(cluster.transactions().next_full_xid(), 0x100000004u);
  Snapshot snapshot;
  cluster.transactions().take_snapshot(&snapshot);
  EXPECT_EQ(value_of(snapshot.xmax), 4);
  EXPECT(!snapshot.contains(TransactionId{0xFFFFFFFFu}));
}

TEST(oids_are_logged_ahead_and_wrap_to_the_first_normal_one) {
  TestCluster cluster;
  Oid oid = 0;
  // A cluster being made uses low OIDs.
  TestCluster::must(cluster.transactions().new_oid(&oid));
  EXPECT_EQ(oid, first_genbki_object_id);
  for (int i = 0; i < 8191; ++i) TestCluster::must(cluster.transactions().new_oid(&oid));
  std::vector<LoggedRecord> records = records_of(cluster, RmgrId::xlog);
  std::erase_if(records, [](const LoggedRecord& record) { return record.info != XLOG_NEXTOID; });
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(load<Oid>(records[0].data.data()), first_genbki_object_id + 8192);
  EXPECT_EQ(cluster.transactions().counters(CheckpointKind::online).nextOid,
            first_genbki_object_id + 8192);

  TransactionCounters counters = cluster.transactions().counters();
  counters.nextOid = 12000;
  cluster.restart_with(counters);
  TestCluster::must(cluster.transactions().new_oid(&oid));
  EXPECT_EQ(oid, first_normal_object_id);
  EXPECT_EQ(cluster.transactions().counters(CheckpointKind::online).nextOid,
            first_normal_object_id + 8192);
  EXPECT_EQ(cluster.transactions().counters().nextOid, first_normal_object_id + 1);

  counters.nextOid = 0xFFFFFFFFu;
  cluster.restart_with(counters);
  TestCluster::must(cluster.transactions().new_oid(&oid));
  EXPECT_EQ(oid, 0xFFFFFFFFu);
  TestCluster::must(cluster.transactions().new_oid(&oid));
  EXPECT_EQ(oid, first_normal_object_id);
}

TEST(a_read_only_transaction_gets_no_xid_and_serializable_is_refused) {
  TestCluster cluster;
  auto backend = cluster.backend();
  TestCluster::must(backend->begin(IsolationLevel::read_committed, true));
  TransactionId xid{};
  EXPECT_EQ(backend->assign_xid(&xid).code(), ErrorCode::read_only_sql_transaction);
  backend->abort();
  EXPECT_EQ(backend->begin(IsolationLevel::serializable, false).code(),
            ErrorCode::feature_not_supported);
  EXPECT(!backend->in_transaction());
}

TEST(backends_are_limited_and_slots_come_back) {
  TestClusterOptions options;
  options.backends = 3;
  TestCluster cluster(options);
  auto first = cluster.backend();
  auto second = cluster.backend();
  auto third = cluster.backend();
  std::unique_ptr<Backend> fourth;
  EXPECT_EQ(Backend::create(cluster.services(), cluster.transactions(), 5, &fourth).code(),
            ErrorCode::too_many_connections);
  begin_writing(*second);
  second.reset();  // aborts
  EXPECT_OK(Backend::create(cluster.services(), cluster.transactions(), 5, &fourth));
  EXPECT_EQ(status_of(cluster, TransactionId{3}), TransactionStatus::aborted);
}

TEST(isolation_levels_decide_when_a_snapshot_is_taken) {
  TestCluster cluster;
  auto writer = cluster.backend();
  auto committed = cluster.backend();
  auto repeatable = cluster.backend();
  const TransactionId running = begin_writing(*writer);
  const Snapshot* snapshot = nullptr;
  TestCluster::must(committed->begin(IsolationLevel::read_committed, false));
  TestCluster::must(repeatable->begin(IsolationLevel::repeatable_read, false));
  TestCluster::must(committed->statement_snapshot(&snapshot));
  EXPECT(snapshot->contains(running));
  TestCluster::must(repeatable->statement_snapshot(&snapshot));
  EXPECT(snapshot->contains(running));
  EXPECT_EQ(cluster.transactions().oldest_xmin(), running);
  commit_now(*writer);
  TestCluster::must(committed->statement_snapshot(&snapshot));
  EXPECT(!snapshot->contains(running));
  TestCluster::must(repeatable->statement_snapshot(&snapshot));
  EXPECT(snapshot->contains(running));
  TestCluster::must(repeatable->catalog_snapshot(&snapshot));
  EXPECT(!snapshot->contains(running));
  EXPECT_EQ(cluster.transactions().oldest_xmin(), running);
  repeatable->abort();
  committed->abort();
  EXPECT_EQ(cluster.transactions().oldest_xmin(), next(running));

  // The own xid is in no snapshot of its own, and commands are counted when used.
  const TransactionId own = begin_writing(*writer);
  TestCluster::must(writer->statement_snapshot(&snapshot));
  EXPECT_EQ(snapshot->curcid, 0);
  EXPECT_EQ(std::count(snapshot->xip.begin(), snapshot->xip.end(), own), 0);
  TestCluster::must(writer->advance_command());
  EXPECT_EQ(writer->current_command(), 0);
  writer->use_command();
  TestCluster::must(writer->advance_command());
  TestCluster::must(writer->statement_snapshot(&snapshot));
  EXPECT_EQ(snapshot->curcid, 1);
}

TEST(a_checkpoint_waits_for_commits_in_progress) {
  TestCluster cluster;
  auto backend = cluster.backend();
  std::atomic<bool> ended{false};
  std::atomic<bool> waited{false};
  auto delay = std::make_unique<CheckpointDelay>(*backend);
  std::thread checkpointer([&] {
    TestCluster::must(cluster.transactions().wait_for_commits_in_progress());
    EXPECT(ended.load());
    waited = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT(!waited.load());
  ended = true;
  delay.reset();
  checkpointer.join();
  EXPECT(waited.load());

  // A poisoned cluster waits for nobody.
  CheckpointDelay forever(*backend);
  cluster.state().poison("test");
  EXPECT_EQ(cluster.transactions().wait_for_commits_in_progress().code(),
            ErrorCode::crash_shutdown);
}

TEST(running_transactions_are_logged_for_standbys) {
  TestCluster cluster;
  auto first = cluster.backend();
  auto second = cluster.backend();
  const TransactionId older = begin_writing(*first);
  begin_writing(*second);
  commit_now(*second);
  const TransactionId newer = begin_writing(*second);
  TestCluster::must(cluster.transactions().log_running_transactions());
  EXPECT_EQ(cluster.transactions().counters(CheckpointKind::online).oldestActiveXid, older);
  const std::vector<LoggedRecord> records = records_of(cluster, RmgrId::standby);
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(records[0].info, XLOG_RUNNING_XACTS);
  ASSERT_EQ(records[0].data.size(), 24 + 2 * 4);
  const auto header = load<xl_running_xacts>(records[0].data.data());
  EXPECT_EQ(header.xcnt, 2);
  EXPECT_EQ(header.oldestRunningXid, older);
  EXPECT_EQ(header.nextXid, next(newer));
  EXPECT_EQ(value_of(header.latestCompletedXid), value_of(older) + 1);
}

TEST(a_poisoned_cluster_takes_no_commit) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const TransactionId xid = begin_writing(*backend);
  cluster.state().poison("test");
  Lsn upto = 0;
  EXPECT_EQ(backend->commit(true, &upto).code(), ErrorCode::crash_shutdown);
  EXPECT(backend->in_transaction());
  backend->abort();
  EXPECT_EQ(status_of(cluster, xid), TransactionStatus::in_progress);
  EXPECT_EQ(backend->begin(IsolationLevel::read_committed, false).code(),
            ErrorCode::crash_shutdown);
}

TEST(multixact_members_are_read) {
  TestCluster cluster;
  // Multis 1 and 2 of two and three members, as PostgreSQL lays them out: offsets from 1 on.
  std::vector<uint32_t> offsets(2048, 0);
  offsets[1] = 1;
  offsets[2] = 3;
  std::vector<uint8_t> members(8192, 0);
  const auto put = [&](uint32_t offset, uint32_t xid, uint8_t status) {
    members[offset / 4 * 20 + offset % 4] = status;
    std::memcpy(&members[offset / 4 * 20 + 4 + offset % 4 * 4], &xid, 4);
  };
  put(1, 700, 1);
  put(2, 701, 5);
  put(3, 800, 0);
  put(4, 801, 4);
  put(5, 802, 2);
  TransactionCounters counters = cluster.transactions().counters();
  cluster.restart();
  std::ofstream(cluster.directory() + "/pg_multixact/offsets/0000", std::ios::binary)
      .write(reinterpret_cast<const char*>(offsets.data()), 8192);
  std::ofstream(cluster.directory() + "/pg_multixact/members/0000", std::ios::binary)
      .write(reinterpret_cast<const char*>(members.data()), 8192);
  counters.nextMulti = 3;
  counters.nextMultiOffset = 6;
  cluster.restart_with(counters);
  std::vector<MultiXactMember> found;
  TestCluster::must(cluster.transactions().multixact_members(1, &found));
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(value_of(found[0].xid), 700);
  EXPECT(!is_update(found[0].status));
  EXPECT_EQ(value_of(found[1].xid), 701);
  EXPECT(is_update(found[1].status));
  TestCluster::must(cluster.transactions().multixact_members(2, &found));
  ASSERT_EQ(found.size(), 3);
  EXPECT_EQ(value_of(found[1].xid), 801);
  EXPECT_EQ(found[1].status, MultiXactStatus::no_key_update);
  EXPECT_EQ(found[2].status, MultiXactStatus::for_no_key_update);
  EXPECT_EQ(cluster.transactions().multixact_members(3, &found).code(), ErrorCode::data_corrupted);
  EXPECT_EQ(cluster.transactions().multixact_members(0, &found).code(), ErrorCode::data_corrupted);
}

TEST(a_missing_commit_log_file_is_reported) {
  TestCluster cluster;
  TransactionStatus status{};
  const Status missing = cluster.transactions().status_of(TransactionId{5'000'000}, &status);
  EXPECT(!missing.is_ok());
  EXPECT_EQ(missing.report().message, "could not access status of transaction 5000000");
  const Status short_file = cluster.transactions().status_of(TransactionId{40'000}, &status);
  EXPECT_EQ(short_file.code(), ErrorCode::data_corrupted);
}

TEST(slru_pages_survive_replacement) {
  TestCluster cluster;
  // An area of its own beside the cluster's, with one bank for 100 pages in four files.
  std::filesystem::create_directory(cluster.directory() + "/pg_test");
  SlruOptions options;
  options.name = "slru test";
  options.directory = "pg_test";
  options.buffers = 1;
  options.lsns_per_page = 4;
  SegmentPlan plan;
  Slru::plan(plan, options, 8192);
  std::unique_ptr<Segment> segment;
  TestCluster::must(Segment::create("", plan, &segment));
  Slru slru(*segment, cluster.services(), options);
  std::mt19937_64 random = test::random_engine();
  std::map<uint64_t, uint64_t> model;
  Lsn logged = invalid_lsn;
  for (int step = 0; step < 3000; ++step) {
    const uint64_t number = random() % 100;
    SlruPage page;
    if (!model.contains(number)) {
      TestCluster::must(slru.zero_page(number, &page));
      EXPECT_EQ(load<uint64_t>(page.bytes()), 0);
      model[number] = 0;
    } else if (random() % 2 == 0) {
      TestCluster::must(slru.lock_page(number, LockMode::exclusive, "test", &page));
      EXPECT_EQ(load<uint64_t>(page.bytes() + 8184), model[number]);
      model[number] = random();
      store(page.bytes() + 8184, model[number]);
      page.mark_dirty();
      if (random() % 16 == 0) {
        WalRecord record;
        record.begin(RmgrId::xlog, XLOG_NOOP, invalid_transaction_id);
        record.data(&number, sizeof(number));
        TestCluster::must(cluster.wal().insert(record, &logged));
        page.raise_lsn(static_cast<uint32_t>(random() % 4), logged);
      }
    } else {
      TestCluster::must(slru.lock_page(number, LockMode::shared, "test", &page));
      EXPECT_EQ(load<uint64_t>(page.bytes() + 8184), model[number]);
    }
    page.release();
    if (step % 500 == 0) {
      TestCluster::must(slru.write_all_dirty());
      TestCluster::must(slru.sync());
    }
  }
  TestCluster::must(slru.write_all_dirty());
  EXPECT(cluster.wal().flushed() >= logged);
  EXPECT_EQ(slru.segment_path(31), "pg_test/0000");
  EXPECT_EQ(slru.segment_path(32), "pg_test/0001");
  EXPECT_EQ(slru.segment_path(uint64_t{32} * 0x12345), "pg_test/12345");
  for (const auto& [number, value] : model) {
    std::ifstream file(cluster.directory() + "/" + slru.segment_path(number), std::ios::binary);
    file.seekg(static_cast<std::streamoff>(number % 32 * 8192 + 8184));
    uint64_t stored = 0;
    file.read(reinterpret_cast<char*>(&stored), 8);
    EXPECT_EQ(stored, value);
  }
}

// Accounts kept as PostgreSQL keeps rows: every version stamped with the xid that wrote it, none overwritten.
struct Account {
  struct Version {
    std::atomic<uint32_t> xid{0};
    int64_t balance = 0;
  };
  std::mutex row_lock;  // held by the writer until its transaction ends
  std::atomic<size_t> count{0};
  std::vector<Version> versions{20000};
};

// The newest version that the snapshot sees.
int64_t balance_seen(TestCluster& cluster, Account& account, const Snapshot& snapshot) {
  for (size_t i = account.count.load(std::memory_order_acquire); i-- > 0;) {
    const TransactionId xid{account.versions[i].xid.load(std::memory_order_acquire)};
    if (snapshot.contains(xid)) continue;
    if (xid == frozen_transaction_id || status_of(cluster, xid) == TransactionStatus::committed) {
      return account.versions[i].balance;
    }
  }
  test::report_failure(__FILE__, __LINE__, "an account has no visible version");
  return 0;
}

void add_version(Account& account, TransactionId xid, int64_t balance) {
  const size_t at = account.count.load(std::memory_order_relaxed);
  INVARIANT(at < account.versions.size());
  account.versions[at].balance = balance;
  account.versions[at].xid.store(value_of(xid), std::memory_order_release);
  account.count.store(at + 1, std::memory_order_release);
}

TEST(no_snapshot_sees_half_of_a_transaction) {
  constexpr int accounts_count = 8;
  constexpr int writers = 3;
  constexpr int readers = 2;
  constexpr int64_t initial = 1000;
  TransactionCounters counters;
  counters.nextXid = 32768 - 1000;  // crosses into a new page of the commit log
  // Real syncs make some commits long, so that a wrong order of their steps shows.
  TestClusterOptions options;
  options.fsync = true;
  TestCluster cluster(options, counters);
  std::vector<Account> accounts(accounts_count);
  for (Account& account : accounts) add_version(account, frozen_transaction_id, initial);
  const uint64_t seed = test::random_engine()();
  std::atomic<int> writing{writers};
  std::atomic<uint64_t> committed{0};
  std::atomic<uint64_t> looks{0};

  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&, w] {
      std::mt19937_64 random(seed + static_cast<uint64_t>(w));
      auto backend = cluster.backend();
      for (int i = 0; i < 2000; ++i) {
        size_t from = random() % accounts_count;
        size_t to = random() % accounts_count;
        if (from == to) continue;
        std::scoped_lock locks(accounts[std::min(from, to)].row_lock,
                               accounts[std::max(from, to)].row_lock);
        const TransactionId xid = begin_writing(*backend);
        const Snapshot* snapshot = nullptr;
        TestCluster::must(backend->statement_snapshot(&snapshot));
        const auto amount = static_cast<int64_t>(random() % 50);
        const int64_t from_balance = balance_seen(cluster, accounts[from], *snapshot);
        const int64_t to_balance = balance_seen(cluster, accounts[to], *snapshot);
        add_version(accounts[from], xid, from_balance - amount);
        add_version(accounts[to], xid, to_balance + amount);
        if (random() % 5 == 0) {
          backend->abort();
        } else {
          Lsn upto = 0;
          TestCluster::must(backend->commit(random() % 20 == 0, &upto));
          committed.fetch_add(1);
          EXPECT(!is_running(cluster, xid));
          if (upto != invalid_lsn && random() % 20 == 0)
            TestCluster::must(cluster.wal().flush(upto));
        }
      }
      writing.fetch_sub(1);
    });
  }
  for (int r = 0; r < readers; ++r) {
    threads.emplace_back([&, r] {
      auto backend = cluster.backend();
      TransactionId horizon = invalid_transaction_id;
      do {
        const auto level =
            r % 2 == 0 ? IsolationLevel::read_committed : IsolationLevel::repeatable_read;
        TestCluster::must(backend->begin(level, true));
        int64_t totals[2] = {0, 0};
        for (int64_t& total : totals) {
          const Snapshot* snapshot = nullptr;
          TestCluster::must(backend->statement_snapshot(&snapshot));
          for (Account& account : accounts) total += balance_seen(cluster, account, *snapshot);
          EXPECT_EQ(total, initial * accounts_count);
          // What a live snapshot may need is never called dead, and the horizon only moves on.
          const TransactionId oldest = cluster.transactions().oldest_xmin();
          EXPECT(precedes_or_equals(oldest, snapshot->xmin));
          if (is_valid(horizon)) EXPECT(precedes_or_equals(horizon, oldest));
          horizon = oldest;
        }
        Lsn upto = 0;
        TestCluster::must(backend->commit(false, &upto));
        looks.fetch_add(1);
      } while (writing.load() > 0);
    });
  }
  threads.emplace_back([&] {
    while (writing.load() > 0) {
      TestCluster::must(cluster.transactions().wait_for_commits_in_progress());
      TestCluster::must(cluster.transactions().write_all_dirty());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT(committed.load() > 1000);
  EXPECT(looks.load() > 0);

  // The outcomes are on disk, and say the same after a restart.
  Snapshot everything;
  cluster.restart();
  cluster.transactions().take_snapshot(&everything);
  EXPECT(everything.xip.empty());
  int64_t total = 0;
  for (Account& account : accounts) total += balance_seen(cluster, account, everything);
  EXPECT_EQ(total, initial * accounts_count);
}

}  // namespace
}  // namespace pgdata

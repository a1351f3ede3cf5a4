// Goal: subtransactions are part of their transaction for everybody, whatever their number and nesting; those that
// are rolled back are not; and the log says what PostgreSQL's would.
// Method: small cases over a real cluster, with limits crossed (64 listed ids, pages of pg_xact and pg_subtrans);
// then seeded random trees, whose every id is compared with a model before and after the end.
#include <algorithm>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "layout/wal_storage_records.h"
#include "layout/wal_transaction_records.h"
#include "xact/process_array.h"
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

TransactionId begin_sub(Backend& backend) {
  TestCluster::must(backend.begin_subtransaction(false));
  TransactionId xid{};
  TestCluster::must(backend.assign_xid(&xid));
  return xid;
}

bool sees_as_running(TestCluster& cluster, const Snapshot& snapshot, TransactionId xid) {
  bool running = false;
  TestCluster::must(cluster.transactions().in_snapshot(snapshot, xid, &running));
  return running;
}

std::vector<TransactionId> xids_at(const std::vector<std::byte>& data, size_t offset) {
  std::vector<TransactionId> xids;
  for (; offset < data.size(); offset += sizeof(TransactionId))
    xids.push_back(load<TransactionId>(&data[offset]));
  return xids;
}

TEST(levels_get_ids_at_their_first_write_and_parents_first) {
  TestCluster cluster;
  auto backend = cluster.backend();
  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  TestCluster::must(backend->begin_subtransaction(false));
  TestCluster::must(backend->begin_subtransaction(false));
  EXPECT_EQ(backend->level(), 3);
  EXPECT_EQ(backend->xid(), invalid_transaction_id);
  TransactionId inner{};
  TestCluster::must(backend->assign_xid(&inner));
  EXPECT_EQ(value_of(inner), 5);
  EXPECT_EQ(value_of(backend->top_xid()), 3);
  for (uint32_t xid = 3; xid <= 5; ++xid) {
    EXPECT(backend->is_current(TransactionId{xid}));
    EXPECT(is_running(cluster, TransactionId{xid}));
    TransactionId topmost{};
    TestCluster::must(cluster.transactions().topmost_of(TransactionId{xid}, &topmost));
    EXPECT_EQ(value_of(topmost), 3);
  }
  EXPECT(!backend->is_current(TransactionId{6}));

  // A level that wrote nothing leaves no trace.
  TestCluster::must(backend->begin_subtransaction(false));
  backend->abort_subtransaction();
  TestCluster::must(backend->commit_subtransaction());
  EXPECT_EQ(value_of(backend->xid()), 4);
  backend->abort_subtransaction();
  EXPECT_EQ(value_of(backend->xid()), 3);
  EXPECT(!backend->is_current(TransactionId{4}));
  EXPECT(!backend->is_current(TransactionId{5}));
  for (uint32_t xid : {4, 5}) {
    EXPECT_EQ(status_of(cluster, TransactionId{xid}), TransactionStatus::aborted);
    EXPECT(!is_running(cluster, TransactionId{xid}));
  }
  EXPECT(is_running(cluster, TransactionId{3}));
  commit_now(*backend);
  EXPECT_EQ(status_of(cluster, TransactionId{3}), TransactionStatus::committed);
}

TEST(records_name_the_subtransactions) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const TransactionId top = begin_writing(*backend);
  const TransactionId kept = begin_sub(*backend);
  const TransactionId kept_inner = begin_sub(*backend);
  TestCluster::must(backend->commit_subtransaction());
  TestCluster::must(backend->commit_subtransaction());
  const TransactionId undone = begin_sub(*backend);
  const TransactionId undone_inner = begin_sub(*backend);
  TestCluster::must(backend->commit_subtransaction());
  const RelFileLocator made{1663, 5, 16384};
  TestCluster::must(backend->create_storage(made, true));
  backend->abort_subtransaction();
  EXPECT(backend->is_current(kept) && backend->is_current(kept_inner));
  commit_now(*backend);

  const std::vector<LoggedRecord> records = records_of(cluster, RmgrId::transaction);
  ASSERT_EQ(records.size(), 2);
  EXPECT_EQ(records[0].xid, undone);
  EXPECT_EQ(records[0].info, XLOG_XACT_ABORT | XLOG_XACT_HAS_INFO | XLR_SPECIAL_REL_UPDATE);
  ASSERT_EQ(records[0].data.size(), 8 + 4 + (4 + 4) + (4 + 12));
  EXPECT_EQ(load<uint32_t>(&records[0].data[8]),
            XACT_XINFO_HAS_SUBXACTS | XACT_XINFO_HAS_RELFILELOCATORS);
  EXPECT_EQ(load<int32_t>(&records[0].data[12]), 1);
  EXPECT_EQ(load<TransactionId>(&records[0].data[16]), undone_inner);
  EXPECT(load<RelFileLocator>(&records[0].data[24]) == made);

  EXPECT_EQ(records[1].xid, top);
  EXPECT_EQ(records[1].info, XLOG_XACT_COMMIT | XLOG_XACT_HAS_INFO);
  ASSERT_EQ(records[1].data.size(), 8 + 4 + 4 + 2 * 4);
  EXPECT_EQ(load<uint32_t>(&records[1].data[8]), XACT_XINFO_HAS_SUBXACTS);
  EXPECT_EQ(load<int32_t>(&records[1].data[12]), 2);
  EXPECT(xids_at(records[1].data, 16) == (std::vector<TransactionId>{kept, kept_inner}));
}

TEST(files_belong_to_the_level_that_made_them) {
  TestCluster cluster;
  auto backend = cluster.backend();
  // The first file of what was removed stays, empty, until a checkpoint.
  const auto exists = [&](RelFileLocator relation) {
    bool found = false;
    cluster.storage().begin_checkpoint();
    TestCluster::must(cluster.storage().remove_unlinked());
    TestCluster::must(cluster.storage().exists(relation, ForkNumber::main, &found));
    return found;
  };
  const RelFileLocator outer{1663, 5, 20000};
  const RelFileLocator released{1663, 5, 20001};
  const RelFileLocator undone{1663, 5, 20002};
  const RelFileLocator released_then_undone{1663, 5, 20003};
  begin_writing(*backend);
  TestCluster::must(backend->create_storage(outer, true));
  begin_sub(*backend);
  TestCluster::must(backend->create_storage(released, true));
  TestCluster::must(backend->commit_subtransaction());
  begin_sub(*backend);
  TestCluster::must(backend->create_storage(undone, true));
  begin_sub(*backend);
  TestCluster::must(backend->create_storage(released_then_undone, true));
  TestCluster::must(backend->commit_subtransaction());
  backend->drop_storage_at_commit(outer);  // taken back with the level
  backend->abort_subtransaction();
  EXPECT(exists(outer));
  EXPECT(exists(released));
  EXPECT(!exists(undone));
  EXPECT(!exists(released_then_undone));
  commit_now(*backend);
  EXPECT(exists(outer));
  EXPECT(exists(released));

  // A drop in a level that is kept happens at the end, and the end of the whole undoes what levels made.
  begin_writing(*backend);
  begin_sub(*backend);
  backend->drop_storage_at_commit(released);
  TestCluster::must(backend->commit_subtransaction());
  EXPECT(exists(released));
  commit_now(*backend);
  EXPECT(!exists(released));
  begin_writing(*backend);
  begin_sub(*backend);
  TestCluster::must(backend->create_storage(undone, true));
  TestCluster::must(backend->commit_subtransaction());
  backend->abort();
  EXPECT(!exists(undone));
}

TEST(a_poisoned_backend_ends_at_any_level) {
  for (int levels = 0; levels <= 3; ++levels) {
    for (const bool aborts_first : {false, true}) {
      TestCluster cluster;
      auto backend = cluster.backend();
      TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
      TransactionId first{};
      TestCluster::must(backend->assign_xid(&first));
      for (int level = 1; level <= levels; ++level) begin_sub(*backend);
      cluster.state().poison("a test");
      if (aborts_first) {
        backend->abort();
        EXPECT(!backend->in_transaction());
      }
      const int slot = backend->slot();
      backend.reset();
      // The slot is free again.
      EXPECT_EQ(cluster.backend()->slot(), slot);
    }
  }
}

TEST(read_only_lasts_as_long_as_its_level) {
  TestCluster cluster;
  auto backend = cluster.backend();
  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  TestCluster::must(backend->begin_subtransaction(true));
  TestCluster::must(backend->begin_subtransaction(false));
  TransactionId xid{};
  EXPECT_EQ(backend->assign_xid(&xid).code(), ErrorCode::read_only_sql_transaction);
  TestCluster::must(backend->commit_subtransaction());
  EXPECT_EQ(backend->assign_xid(&xid).code(), ErrorCode::read_only_sql_transaction);
  TestCluster::must(backend->commit_subtransaction());
  EXPECT_OK(backend->assign_xid(&xid));
  commit_now(*backend);
}

TEST(standbys_are_told_of_each_64_subtransactions) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const TransactionId top = begin_writing(*backend);
  std::vector<TransactionId> subxids;
  for (int i = 0; i < 130; ++i) {
    subxids.push_back(begin_sub(*backend));
    if (i % 3 == 0)
      backend->abort_subtransaction();
    else
      TestCluster::must(backend->commit_subtransaction());
  }
  std::vector<LoggedRecord> records = records_of(cluster, RmgrId::transaction);
  std::erase_if(records,
                [](const LoggedRecord& record) { return record.info != XLOG_XACT_ASSIGNMENT; });
  ASSERT_EQ(records.size(), 2);
  for (size_t i = 0; i < 2; ++i) {
    const auto first = subxids.begin() + static_cast<ptrdiff_t>(64 * i);
    EXPECT_EQ(records[i].xid, subxids[64 * i + 63]);
    const auto header = load<xl_xact_assignment>(records[i].data.data());
    EXPECT_EQ(header.xtop, top);
    EXPECT_EQ(header.nsubxacts, 64);
    EXPECT(xids_at(records[i].data, 8) == std::vector<TransactionId>(first, first + 64));
  }
  commit_now(*backend);
}

TEST(snapshots_know_subtransactions_listed_or_not) {
  TestCluster cluster;
  auto writer = cluster.backend();
  auto reader = cluster.backend();
  for (const int count : {3, 64, 65, 300}) {
    const TransactionId top = begin_writing(*writer);
    std::vector<TransactionId> running{top};
    std::vector<TransactionId> undone;
    for (int i = 0; i < count; ++i) {
      const TransactionId xid = begin_sub(*writer);
      TransactionId inner = invalid_transaction_id;
      if (i % 5 == 4) {
        inner = begin_sub(*writer);
        TestCluster::must(writer->commit_subtransaction());
      }
      const bool keep = count <= 65 || i % 2 == 0;
      if (keep)
        TestCluster::must(writer->commit_subtransaction());
      else
        writer->abort_subtransaction();
      for (const TransactionId one : {xid, inner}) {
        if (is_valid(one)) (keep ? running : undone).push_back(one);
      }
    }
    // Another's end moves the snapshots' upper bound beyond them all.
    begin_writing(*reader);
    commit_now(*reader);
    TestCluster::must(reader->begin(IsolationLevel::repeatable_read, true));
    const Snapshot* snapshot = nullptr;
    TestCluster::must(reader->statement_snapshot(&snapshot));
    EXPECT_EQ(snapshot->suboverflowed, running.size() + undone.size() > 65);
    if (!snapshot->suboverflowed) EXPECT_EQ(snapshot->subxip.size(), running.size() - 1);
    const auto check = [&](bool in_progress) {
      for (const TransactionId xid : running) {
        EXPECT_EQ(is_running(cluster, xid), in_progress);
        EXPECT(sees_as_running(cluster, *snapshot, xid));
        EXPECT(!writer->in_transaction() || writer->is_current(xid));
      }
      for (const TransactionId xid : undone) {
        EXPECT(!is_running(cluster, xid));
        EXPECT(!writer->is_current(xid));
        EXPECT_EQ(status_of(cluster, xid), TransactionStatus::aborted);
      }
    };
    check(true);
    commit_now(*writer);
    check(false);  // the snapshot stays as it was
    for (const TransactionId xid : running)
      EXPECT_EQ(status_of(cluster, xid), TransactionStatus::committed);
    Lsn upto = 0;
    TestCluster::must(reader->commit(false, &upto));
    TestCluster::must(reader->begin(IsolationLevel::repeatable_read, true));
    TestCluster::must(reader->statement_snapshot(&snapshot));
    for (const TransactionId xid : running) EXPECT(!sees_as_running(cluster, *snapshot, xid));
    TestCluster::must(reader->commit(false, &upto));
  }
}

TEST(a_commit_over_several_pages_of_the_commit_log_is_whole) {
  TransactionCounters counters;
  counters.nextXid = 32768 - 10;
  TestCluster cluster({}, counters);
  TransactionId top{};
  std::vector<TransactionId> kept;
  {
    auto backend = cluster.backend();
    top = begin_writing(*backend);
    for (int i = 0; i < 40; ++i) {
      kept.push_back(begin_sub(*backend));
      TestCluster::must(backend->commit_subtransaction());
    }
    // As a crash between the pages would leave it: a child that is sub-committed goes the way of its parent.
    const TransactionId child = kept.back();
    TestCluster::must(
        cluster.transactions().set_status(child, TransactionStatus::sub_committed, invalid_lsn));
    EXPECT_EQ(status_of(cluster, child), TransactionStatus::in_progress);
    commit_now(*backend);
    EXPECT_EQ(status_of(cluster, top), TransactionStatus::committed);
    for (const TransactionId xid : kept)
      EXPECT_EQ(status_of(cluster, xid), TransactionStatus::committed);
  }
  cluster.restart();
  for (const TransactionId xid : kept)
    EXPECT_EQ(status_of(cluster, xid), TransactionStatus::committed);

  // One whose transaction a crash has ended was never committed.
  const TransactionId lost{value_of(kept.back()) - 1};
  std::fstream file(cluster.directory() + "/pg_xact/0000",
                    std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(value_of(lost) / 4);
  file.put(static_cast<char>(0xFF));
  file.close();
  cluster.restart();
  EXPECT_EQ(status_of(cluster, lost), TransactionStatus::aborted);
}

TEST(running_subtransactions_are_logged_for_standbys) {
  TestCluster cluster;
  auto backend = cluster.backend();
  begin_writing(*backend);
  for (int i = 0; i < 64; ++i) {
    begin_sub(*backend);
    TestCluster::must(backend->commit_subtransaction());
  }
  TestCluster::must(cluster.transactions().log_running_transactions());
  begin_sub(*backend);
  TestCluster::must(cluster.transactions().log_running_transactions());
  const std::vector<LoggedRecord> records = records_of(cluster, RmgrId::standby);
  ASSERT_EQ(records.size(), 2);
  const auto listed = load<xl_running_xacts>(records[0].data.data());
  EXPECT_EQ(listed.xcnt, 1);
  EXPECT_EQ(listed.subxcnt, 64);
  EXPECT_EQ(listed.subxid_overflow, 0);
  EXPECT_EQ(records[0].data.size(), 24 + 65 * 4);
  const auto overflowed = load<xl_running_xacts>(records[1].data.data());
  EXPECT_EQ(overflowed.xcnt, 1);
  EXPECT_EQ(overflowed.subxcnt, 0);
  EXPECT_EQ(overflowed.subxid_overflow, 1);
  EXPECT_EQ(records[1].data.size(), 24 + 4);
  backend->abort();
}

TEST(random_trees_end_as_the_model_says) {
  TransactionCounters counters;
  counters.nextXid = 32768 - 500;  // crosses pages of pg_xact and pg_subtrans
  TestCluster cluster({}, counters);
  std::mt19937_64 random = test::random_engine();
  std::map<uint32_t, TransactionStatus> outcomes;
  {
    auto backend = cluster.backend();
    auto reader = cluster.backend();
    // Most levels take no id, so a few rounds more may be needed for the outcomes expected below.
    for (int round = 0; round < 30 || outcomes.size() <= 1000; ++round) {
      TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
      // The ids that each open level stands for.
      std::vector<std::vector<TransactionId>> levels(1);
      const auto end_level = [&](bool keep) {
        std::vector<TransactionId> ended = std::move(levels.back());
        levels.pop_back();
        if (keep) {
          if (!levels.empty())
            levels.back().insert(levels.back().end(), ended.begin(), ended.end());
          else
            for (const TransactionId xid : ended)
              outcomes[value_of(xid)] = TransactionStatus::committed;
        } else {
          for (const TransactionId xid : ended)
            outcomes[value_of(xid)] = TransactionStatus::aborted;
        }
      };
      const uint64_t steps = random() % 400;
      for (uint64_t step = 0; step < steps; ++step) {
        const uint64_t what = random() % 10;
        if (what < 4) {
          TestCluster::must(backend->begin_subtransaction(false));
          levels.emplace_back();
        } else if (what < 6) {
          TransactionId before = backend->xid();
          TransactionId xid{};
          const FullTransactionId first = cluster.transactions().next_full_xid();
          TestCluster::must(backend->assign_xid(&xid));
          if (!is_valid(before)) {
            // Every level without an id got one, outermost first.
            uint32_t given = static_cast<uint32_t>(first);
            for (auto& level : levels) {
              if (level.empty()) level.push_back(TransactionId{given++});
            }
            EXPECT_EQ(static_cast<FullTransactionId>(given),
                      cluster.transactions().next_full_xid());
          }
        } else if (levels.size() > 1) {
          const bool keep = what < 9;
          if (keep)
            TestCluster::must(backend->commit_subtransaction());
          else
            backend->abort_subtransaction();
          end_level(keep);
        }
        if (step % 50 == 0) {
          TestCluster::must(reader->begin(IsolationLevel::read_committed, true));
          const Snapshot* snapshot = nullptr;
          TestCluster::must(reader->statement_snapshot(&snapshot));
          for (const auto& level : levels) {
            for (const TransactionId xid : level) {
              EXPECT(backend->is_current(xid));
              EXPECT(is_running(cluster, xid));
              EXPECT(sees_as_running(cluster, *snapshot, xid));
            }
          }
          Lsn upto = 0;
          TestCluster::must(reader->commit(false, &upto));
        }
      }
      const bool keep = random() % 3 != 0;
      if (keep) {
        while (levels.size() > 1) {
          TestCluster::must(backend->commit_subtransaction());
          end_level(true);
        }
        commit_now(*backend);
      } else {
        backend->abort();
        while (levels.size() > 1) end_level(false);
      }
      end_level(keep);
      for (const auto& [xid, status] : outcomes) {
        EXPECT_EQ(status_of(cluster, TransactionId{xid}), status);
        EXPECT(!is_running(cluster, TransactionId{xid}));
      }
    }
  }
  EXPECT(outcomes.size() > 1000);
  cluster.restart();
  for (const auto& [xid, status] : outcomes)
    EXPECT_EQ(status_of(cluster, TransactionId{xid}), status);
}

// Two writers whose transactions each have many subtransactions, some undone; readers never see a part.
TEST(no_snapshot_sees_half_of_a_tree) {
  TransactionCounters counters;
  counters.nextXid = 32768 - 2000;
  TestCluster cluster({}, counters);
  const uint64_t seed = test::random_engine()();
  std::atomic<int> writing{2};
  // Of the newest transaction of each writer: its ids, complete before it commits.
  struct Published {
    std::mutex mutex;
    std::vector<TransactionId> xids;
  };
  Published published[2];
  std::vector<std::thread> threads;
  for (int w = 0; w < 2; ++w) {
    threads.emplace_back([&, w] {
      std::mt19937_64 random(seed + static_cast<uint64_t>(w));
      auto backend = cluster.backend();
      for (int i = 0; i < 150; ++i) {
        std::vector<TransactionId> xids{begin_writing(*backend)};
        const uint64_t count = random() % 100;
        for (uint64_t k = 0; k < count; ++k) {
          const TransactionId xid = begin_sub(*backend);
          if (random() % 4 == 0) {
            backend->abort_subtransaction();
            continue;
          }
          TestCluster::must(backend->commit_subtransaction());
          xids.push_back(xid);
        }
        {
          const std::lock_guard<std::mutex> guard(published[w].mutex);
          published[w].xids = xids;
        }
        Lsn upto = 0;
        TestCluster::must(backend->commit(false, &upto));
      }
      writing.fetch_sub(1);
    });
  }
  threads.emplace_back([&] {
    auto backend = cluster.backend();
    do {
      std::vector<TransactionId> xids;
      for (Published& one : published) {
        {
          const std::lock_guard<std::mutex> guard(one.mutex);
          xids = one.xids;
        }
        if (xids.empty()) continue;
        TestCluster::must(backend->begin(IsolationLevel::read_committed, true));
        const Snapshot* snapshot = nullptr;
        TestCluster::must(backend->statement_snapshot(&snapshot));
        const bool running = sees_as_running(cluster, *snapshot, xids.front());
        for (const TransactionId xid : xids) {
          EXPECT_EQ(sees_as_running(cluster, *snapshot, xid), running);
          if (!running) EXPECT_EQ(status_of(cluster, xid), TransactionStatus::committed);
        }
        Lsn upto = 0;
        TestCluster::must(backend->commit(false, &upto));
      }
    } while (writing.load() > 0);
  });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace pgdata

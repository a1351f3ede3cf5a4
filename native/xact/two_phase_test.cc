// Goal: a prepared transaction runs on without its backend, whatever happens to the cluster, until it is ended by name;
// its record and its file are PostgreSQL's.
// Method: small cases over a real cluster, restarted with and without a checkpoint's file; damaged files; records read
// back from the log.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "layout/wal_transaction_records.h"
#include "xact/prepared_table.h"
#include "xact/process_array.h"
#include "xact/test_cluster.h"
#include "xact/transaction_fixture.h"
#include "xact/two_phase_state.h"

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

PrepareRequest named(const char* gid) {
  PrepareRequest request;
  request.gid = gid;
  request.owner = 10;
  return request;
}

Status prepare(Backend& backend, const PrepareRequest& request) {
  Lsn upto = invalid_lsn;
  return backend.prepare(request, &upto);
}

std::string file_of(TestCluster& cluster, uint32_t xid) {
  char name[64];
  std::snprintf(name, sizeof(name), "/pg_twophase/00000000%08X", xid);
  return cluster.directory() + name;
}

TwoPhaseState sample() {
  TwoPhaseState state;
  state.xid = TransactionId{900};
  state.database = 5;
  state.owner = 10;
  state.prepared_at = 123456789;
  state.gid = "a name";
  state.subxacts = {TransactionId{901}, TransactionId{905}, TransactionId{907}};
  state.commit_files = {{1663, 5, 16400}};
  state.abort_files = {{1663, 5, 16401}, {1663, 5, 16402}};
  state.commit_stats = {{2, 5, 16400, 0}};
  state.invalidations = {{SHAREDINVALCATALOG_ID, 0, 0, {5, 1259, 0}}};
  state.records = {{TWOPHASE_RM_LOCK_ID, 0, std::string(20, 'l')},
                   {TWOPHASE_RM_MULTIXACT_ID, 0, std::string(4, 'm')}};
  return state;
}

TEST(a_state_survives_its_format_and_no_damage_passes) {
  const TwoPhaseState state = sample();
  const std::string data = state.format();
  EXPECT_EQ(data.size() % 8, 0);
  EXPECT_EQ(load<uint32_t>(data.data()), TWOPHASE_MAGIC);
  EXPECT_EQ(load<uint32_t>(data.data() + 4), data.size() + 4);
  EXPECT_EQ(std::string(data.data() + 72), "a name");
  EXPECT_EQ(load<uint32_t>(data.data() + 80), 901);
  EXPECT_EQ(load<uint32_t>(data.data() + 96), 1663);  // commit_files, after three ids and padding
  TwoPhaseState parsed;
  TestCluster::must(TwoPhaseState::parse(data, &parsed));
  EXPECT_EQ(parsed.format(), data);
  EXPECT_EQ(parsed.records.size(), 2);
  EXPECT_EQ(parsed.records[0].data, std::string(20, 'l'));

  const std::string file = TwoPhaseState::with_checksum(data);
  TestCluster::must(TwoPhaseState::parse_file(file, &parsed));
  EXPECT_EQ(parsed.format(), data);
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_EQ(TwoPhaseState::parse_file(damaged, &parsed).code(), ErrorCode::data_corrupted);
    EXPECT_EQ(TwoPhaseState::parse_file(file.substr(0, i), &parsed).code(),
              ErrorCode::data_corrupted);
  }
  // What a checksum does not protect is input all the same.
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = data;
    for (uint64_t n = random() % 4; n-- > 0;)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    if (random() % 4 == 0) damaged.resize(random() % damaged.size());
    static_cast<void>(TwoPhaseState::parse(damaged, &parsed).is_ok());
  }
}

TEST(a_prepared_transaction_stays_a_member_of_its_multixacts) {
  TestCluster cluster;
  const auto member = cluster.backend();
  const auto other = cluster.backend();
  PreparedTable& prepared = cluster.transactions().prepared();
  const TransactionId first = begin_writing(*member);
  const TransactionId second = begin_writing(*other);
  member->announce_multixact_member();
  other->announce_multixact_member();
  MultiXactId multi = 0;
  ASSERT_OK(other->multixact_of(
      {{first, MultiXactStatus::for_share}, {second, MultiXactStatus::for_share}}, &multi));
  TestCluster::must(prepare(*member, named("shares")));
  other->abort();
  EXPECT_EQ(cluster.transactions().oldest_multixact(), multi);
  TwoPhaseState state;
  TestCluster::must(prepared.finish("shares", true, &state));
  EXPECT_EQ(cluster.transactions().oldest_multixact(), multi + 1);
}

TEST(a_prepared_transaction_runs_on_and_is_ended_by_name) {
  TestCluster cluster;
  auto backend = cluster.backend();
  PreparedTable& prepared = cluster.transactions().prepared();
  for (const bool commit : {true, false}) {
    const TransactionId xid = begin_writing(*backend);
    TestCluster::must(backend->begin_subtransaction(false));
    TransactionId child{};
    TestCluster::must(backend->assign_xid(&child));
    TestCluster::must(backend->commit_subtransaction());
    TestCluster::must(prepare(*backend, named("one")));
    EXPECT(!backend->in_transaction());
    EXPECT(!backend->is_current(xid));

    // The backend goes on; to it the transaction is another's.
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    const Snapshot* snapshot = nullptr;
    TestCluster::must(backend->statement_snapshot(&snapshot));
    EXPECT(snapshot->contains(xid) && snapshot->contains(child));
    EXPECT(is_running(cluster, xid) && is_running(cluster, child));
    EXPECT_EQ(cluster.transactions().oldest_xmin(), xid);
    EXPECT_EQ(cluster.transactions().counters(CheckpointKind::online).oldestActiveXid, xid);
    const std::vector<PreparedTransaction> list = prepared.list();
    ASSERT_EQ(list.size(), 1);
    EXPECT_EQ(list[0].xid, xid);
    EXPECT_EQ(list[0].gid, "one");
    EXPECT_EQ(list[0].owner, 10);
    EXPECT_EQ(list[0].database, 5);
    EXPECT(current_timestamp() - list[0].prepared_at < 600'000'000);

    TwoPhaseState state;
    TestCluster::must(prepared.finish("one", commit, &state));
    EXPECT_EQ(state.xid, xid);
    const auto outcome = commit ? TransactionStatus::committed : TransactionStatus::aborted;
    EXPECT_EQ(status_of(cluster, xid), outcome);
    EXPECT_EQ(status_of(cluster, child), outcome);
    EXPECT(!is_running(cluster, xid) && !is_running(cluster, child));
    TestCluster::must(backend->statement_snapshot(&snapshot));
    EXPECT(!snapshot->contains(xid) && !snapshot->contains(child));
    backend->abort();
    EXPECT(prepared.list().empty());
    EXPECT_EQ(prepared.finish("one", commit, &state).code(), ErrorCode::undefined_object);
  }

  const std::vector<LoggedRecord> records = records_of(cluster, RmgrId::transaction);
  ASSERT_EQ(records.size(), 4);
  EXPECT_EQ(records[0].info, XLOG_XACT_PREPARE);
  EXPECT_EQ(value_of(records[0].xid), 3);
  EXPECT_EQ(records[1].info, XLOG_XACT_COMMIT_PREPARED | XLOG_XACT_HAS_INFO);
  EXPECT_EQ(records[1].xid, invalid_transaction_id);
  ASSERT_EQ(records[1].data.size(), 8 + 4 + (4 + 4) + 4);
  EXPECT_EQ(load<uint32_t>(&records[1].data[8]),
            XACT_XINFO_HAS_SUBXACTS | XACT_XINFO_HAS_TWOPHASE | XACT_XINFO_HAS_AE_LOCKS);
  EXPECT_EQ(load<uint32_t>(&records[1].data[20]), 3);
  EXPECT_EQ(records[3].info, XLOG_XACT_ABORT_PREPARED | XLOG_XACT_HAS_INFO);
}

TEST(names_and_their_number_are_checked) {
  TestClusterOptions options;
  options.prepared = 2;
  TestCluster cluster(options);
  auto backend = cluster.backend();
  begin_writing(*backend);
  EXPECT_EQ(prepare(*backend, named(std::string(200, 'x').c_str())).code(),
            ErrorCode::invalid_parameter_value);
  EXPECT(backend->in_transaction());
  TestCluster::must(prepare(*backend, named(std::string(199, 'x').c_str())));
  begin_writing(*backend);
  EXPECT_EQ(prepare(*backend, named(std::string(199, 'x').c_str())).code(),
            ErrorCode::duplicate_object);
  TestCluster::must(prepare(*backend, named("second")));
  begin_writing(*backend);
  const Status full = prepare(*backend, named("third"));
  EXPECT_EQ(full.code(), ErrorCode::out_of_memory);
  EXPECT_EQ(full.report().hint, "Increase \"max_prepared_transactions\" (currently 2).");
  TwoPhaseState state;
  TestCluster::must(cluster.transactions().prepared().finish("second", true, &state));
  EXPECT_OK(prepare(*backend, named("third")));

  options.prepared = 0;
  TestCluster disabled(options);
  auto other = disabled.backend();
  begin_writing(*other);
  EXPECT_EQ(prepare(*other, named("one")).code(), ErrorCode::object_not_in_prerequisite_state);
  EXPECT(other->in_transaction());
}

TEST(files_of_a_prepared_transaction_wait_for_its_end) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const auto exists = [&](RelFileLocator relation) {
    bool found = false;
    cluster.storage().begin_checkpoint();
    TestCluster::must(cluster.storage().remove_unlinked());
    TestCluster::must(cluster.storage().exists(relation, ForkNumber::main, &found));
    return found;
  };
  for (const bool commit : {true, false}) {
    const RelFileLocator old_file{1663, 5, commit ? 30000u : 30010u};
    const RelFileLocator new_file{1663, 5, commit ? 30001u : 30011u};
    begin_writing(*backend);
    TestCluster::must(backend->create_storage(old_file, true));
    commit_now(*backend);
    begin_writing(*backend);
    TestCluster::must(backend->create_storage(new_file, true));
    backend->drop_storage_at_commit(old_file);
    TestCluster::must(prepare(*backend, named("files")));
    EXPECT(exists(old_file) && exists(new_file));
    TwoPhaseState state;
    TestCluster::must(cluster.transactions().prepared().finish("files", commit, &state));
    EXPECT_EQ(exists(old_file), !commit);
    EXPECT_EQ(exists(new_file), commit);
  }
}

TEST(prepared_transactions_survive_restarts_in_files) {
  TestCluster cluster;
  TransactionId first{};
  TransactionId second{};
  std::vector<TransactionId> children;
  {
    auto backend = cluster.backend();
    first = begin_writing(*backend);
    for (int i = 0; i < 100; ++i) {  // more than a slot lists
      TestCluster::must(backend->begin_subtransaction(false));
      TransactionId child{};
      TestCluster::must(backend->assign_xid(&child));
      TestCluster::must(backend->commit_subtransaction());
      children.push_back(child);
    }
    TestCluster::must(prepare(*backend, named("first")));
    second = begin_writing(*backend);
    TestCluster::must(prepare(*backend, named("second")));
  }
  EXPECT(!std::filesystem::exists(file_of(cluster, value_of(first))));
  std::string before;
  for (int round = 0; round < 3; ++round) {
    cluster.restart();
    std::ifstream file(file_of(cluster, value_of(first)), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (round > 0) EXPECT_EQ(bytes, before);
    before = bytes;
    EXPECT_EQ(cluster.transactions().prepared().list().size(), 2);
    EXPECT(is_running(cluster, first) && is_running(cluster, second));
    for (const TransactionId child : children) EXPECT(is_running(cluster, child));
    auto backend = cluster.backend();
    begin_writing(*backend);
    commit_now(*backend);
    TestCluster::must(backend->begin(IsolationLevel::read_committed, true));
    const Snapshot* snapshot = nullptr;
    TestCluster::must(backend->statement_snapshot(&snapshot));
    EXPECT(snapshot->suboverflowed);
    for (const TransactionId child : children) {
      bool running = false;
      TestCluster::must(cluster.transactions().in_snapshot(*snapshot, child, &running));
      EXPECT(running);
    }
    Lsn upto = 0;
    TestCluster::must(backend->commit(false, &upto));
  }
  TwoPhaseState state;
  TestCluster::must(cluster.transactions().prepared().finish("first", true, &state));
  TestCluster::must(cluster.transactions().prepared().finish("second", false, &state));
  EXPECT(!std::filesystem::exists(file_of(cluster, value_of(first))));
  // A file that came back after the end is stale.
  std::ofstream(file_of(cluster, value_of(first)), std::ios::binary) << before;
  cluster.restart();
  EXPECT(!std::filesystem::exists(file_of(cluster, value_of(first))));
  EXPECT(cluster.transactions().prepared().list().empty());
  for (const TransactionId child : children)
    EXPECT_EQ(status_of(cluster, child), TransactionStatus::committed);
  EXPECT_EQ(status_of(cluster, second), TransactionStatus::aborted);
}

TEST(a_checkpoint_makes_files_of_what_it_leaves_behind_only) {
  TestCluster cluster;
  auto backend = cluster.backend();
  const TransactionId first = begin_writing(*backend);
  TestCluster::must(prepare(*backend, named("first")));
  const Lsn redo = cluster.wal().positions().insert;
  const TransactionId second = begin_writing(*backend);
  TestCluster::must(prepare(*backend, named("second")));
  PreparedTable& prepared = cluster.transactions().prepared();
  TestCluster::must(prepared.checkpoint(redo));
  EXPECT(std::filesystem::exists(file_of(cluster, value_of(first))));
  EXPECT(!std::filesystem::exists(file_of(cluster, value_of(second))));
  // From the file and from the log.
  TwoPhaseState state;
  TestCluster::must(prepared.finish("second", true, &state));
  EXPECT_EQ(state.xid, second);
  TestCluster::must(prepared.finish("first", true, &state));
  EXPECT_EQ(state.xid, first);
  EXPECT(!std::filesystem::exists(file_of(cluster, value_of(first))));

  // A file that is damaged under us is reported, and the transaction stays prepared.
  const TransactionId third = begin_writing(*backend);
  TestCluster::must(prepare(*backend, named("third")));
  TestCluster::must(prepared.checkpoint(cluster.wal().positions().insert));
  std::fstream file(file_of(cluster, value_of(third)),
                    std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(30);
  file.put('x');
  file.close();
  EXPECT_EQ(prepared.finish("third", true, &state).code(), ErrorCode::data_corrupted);
  EXPECT_EQ(prepared.list().size(), 1);
  EXPECT(is_running(cluster, third));
}

}  // namespace
}  // namespace pgdata

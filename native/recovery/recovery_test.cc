// Goal: whatever a crash leaves of the log is replayed, and replaying it twice changes nothing. Method: small
// clusters that log by hand what no other room writes, crash, and are looked at after recovery.
#include "recovery/recovery.h"

#include <cstring>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "layout/two_phase_file.h"
#include "layout/wal_storage_records.h"
#include "layout/wal_transaction_records.h"
#include "recovery/recovery_fixture.h"
#include "wal/wal_geometry.h"
#include "xact/commit_log.h"
#include "xact/multixact.h"

namespace pgdata {
namespace {

using test::RecoveryFixture;

const RelFileLocator relation{default_tablespace_oid, 5, 16384};

// A transaction that made a relation with `blocks` pages, each filled with its number, logged as whole pages.
void make_relation(RecoveryFixture& cluster, uint32_t blocks, RelFileLocator where = relation) {
  auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  TransactionId xid;
  ASSERT_OK(backend->assign_xid(&xid));
  ASSERT_OK(backend->create_storage(where, true));
  for (uint32_t i = 0; i < blocks; i++) {
    BufferRef buffer;
    BlockNumber block;
    ASSERT_OK(cluster.pool().extend(where, ForkNumber::main, 1, nullptr, &buffer, &block));
    buffer.page().initialize(0);
    std::memset(buffer.page().bytes() + 4096, static_cast<int>(i + 1), 1000);
    buffer.page().header().pd_upper = 4096;
    ASSERT_OK(log_new_page(cluster.services(), xid, buffer, true));
  }
  ASSERT_OK(backend->commit(true, nullptr));
}

void expect_page(RecoveryFixture& cluster, uint32_t block, int filling,
                 RelFileLocator where = relation) {
  BufferRef buffer;
  ASSERT_OK(cluster.pool().read(where, ForkNumber::main, BlockNumber{block}, ReadMode::normal,
                                nullptr, &buffer));
  EXPECT_EQ(static_cast<int>(buffer.page().bytes()[4096]), filling);
  EXPECT_EQ(static_cast<int>(buffer.page().bytes()[5095]), filling);
}

void log_record(RecoveryFixture& cluster, RmgrId rmgr, uint8_t info, const std::string& data,
                TransactionId xid = invalid_transaction_id) {
  WalRecord record;
  record.begin(rmgr, info, xid);
  record.data(data.data(), data.size());
  Lsn end = invalid_lsn;
  ASSERT_OK(cluster.wal().insert(record, &end));
  ASSERT_OK(cluster.wal().flush(end));
}

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

TEST(pages_and_outcomes_come_back_from_the_log) {
  RecoveryFixture cluster;
  make_relation(cluster, 3);
  const FullTransactionId next = cluster.transactions().next_full_xid();
  cluster.crash();
  ASSERT_OK(cluster.recover());
  for (uint32_t i = 0; i < 3; i++) expect_page(cluster, i, static_cast<int>(i + 1));
  EXPECT_EQ(cluster.transactions().next_full_xid(), next);
  TransactionStatus status;
  ASSERT_OK(cluster.transactions().status_of(TransactionId{3}, &status));
  EXPECT_EQ(status, TransactionStatus::committed);
}

TEST(recovery_can_crash_and_begin_again) {
  RecoveryFixture cluster;
  make_relation(cluster, 5);
  cluster.checkpoint();
  make_relation(cluster, 2, {default_tablespace_oid, 5, 16385});
  for (int i = 0; i < 3; i++) {
    cluster.crash();
    ASSERT_OK(cluster.recover());
  }
  for (uint32_t i = 0; i < 5; i++) expect_page(cluster, i, static_cast<int>(i + 1));
  expect_page(cluster, 1, 2, {default_tablespace_oid, 5, 16385});
}

TEST(the_log_goes_on_after_recovery) {
  RecoveryFixture cluster;
  for (int round = 0; round < 4; round++) {
    make_relation(cluster, 20, {default_tablespace_oid, 5, 16400u + static_cast<Oid>(round)});
    cluster.crash();
    ASSERT_OK(cluster.recover());
  }
  for (int round = 0; round < 4; round++)
    expect_page(cluster, 19, 20, {default_tablespace_oid, 5, 16400u + static_cast<Oid>(round)});
}

TEST(a_dropped_relation_may_be_missing) {
  RecoveryFixture cluster;
  make_relation(cluster, 3);
  cluster.checkpoint();
  {
    auto backend = cluster.backend();
    ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
    TransactionId xid;
    ASSERT_OK(backend->assign_xid(&xid));
    backend->drop_storage_at_commit(relation);
    ASSERT_OK(backend->commit(true, nullptr));
  }
  cluster.crash();
  ASSERT_OK(cluster.recover());
  bool exists = true;
  ASSERT_OK(cluster.storage().exists(relation, ForkNumber::main, &exists));
  EXPECT(!exists);
}

TEST(files_of_a_transaction_that_never_ended_are_removed) {
  RecoveryFixture cluster;
  {
    auto backend = cluster.backend();
    ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
    TransactionId xid;
    ASSERT_OK(backend->assign_xid(&xid));
    ASSERT_OK(backend->create_storage(relation, true));
    cluster.flush();
    std::filesystem::copy(cluster.directory() + "/pg_wal", cluster.directory() + "/kept");
  }
  // The log as it was before the backend, going away, rolled back.
  cluster.crash();
  std::filesystem::remove_all(cluster.directory() + "/pg_wal");
  std::filesystem::rename(cluster.directory() + "/kept", cluster.directory() + "/pg_wal");
  ASSERT_OK(cluster.recover());
  bool exists = true;
  ASSERT_OK(cluster.storage().exists(relation, ForkNumber::main, &exists));
  EXPECT(!exists);
}

TEST(a_log_that_ends_within_a_record_is_continued_behind_it) {
  RecoveryFixture cluster;
  make_relation(cluster, 1);
  // A record over many pages, of which the file keeps the first ones only.
  const std::string big(100'000, 'x');
  const Lsn start = cluster.wal().positions().insert;
  log_record(cluster, RmgrId::xlog, XLOG_NOOP, big);
  const WalGeometry geometry(8192, 1u << 20);
  const Lsn cut = geometry.page_start(start) + 3 * 8192;
  cluster.crash();
  {
    std::unique_ptr<File> file;
    const std::string path =
        cluster.directory() + "/pg_wal/" + wal_file_name(1, geometry.segment_of(cut), 1u << 20);
    ASSERT_OK(cluster.files().open(path, OpenFlags::read_write, &file));
    const std::string zeroes((1u << 20) - geometry.segment_offset(cut), '\0');
    ASSERT_OK(file->write(zeroes.data(), zeroes.size(), geometry.segment_offset(cut)));
  }
  ASSERT_OK(cluster.recover());
  EXPECT_EQ(cluster.result().aborted_record, start);
  EXPECT_EQ(cluster.result().missing_contrecord, cut);
  make_relation(cluster, 2, {default_tablespace_oid, 5, 16390});
  cluster.crash();
  // Now the log has the record that says what was overwritten, and goes on behind it.
  ASSERT_OK(cluster.recover());
  EXPECT_EQ(cluster.result().aborted_record, invalid_lsn);
  expect_page(cluster, 1, 2, {default_tablespace_oid, 5, 16390});
}

TEST(a_torn_last_record_is_forgotten) {
  RecoveryFixture cluster;
  make_relation(cluster, 1);
  const Lsn start = cluster.wal().positions().insert;
  log_record(cluster, RmgrId::xlog, XLOG_NOOP, std::string(500, 'y'));
  cluster.crash();
  const WalGeometry geometry(8192, 1u << 20);
  {
    std::unique_ptr<File> file;
    const std::string path =
        cluster.directory() + "/pg_wal/" + wal_file_name(1, geometry.segment_of(start), 1u << 20);
    ASSERT_OK(cluster.files().open(path, OpenFlags::read_write, &file));
    ASSERT_OK(file->write("torn", 4, geometry.segment_offset(start) + 100));
  }
  ASSERT_OK(cluster.recover());
  EXPECT_EQ(cluster.wal().positions().insert, start);
  make_relation(cluster, 2, {default_tablespace_oid, 5, 16390});
  cluster.crash();
  ASSERT_OK(cluster.recover());
  expect_page(cluster, 1, 2, {default_tablespace_oid, 5, 16390});
}

TEST(a_segment_switch_uses_up_its_segment) {
  RecoveryFixture cluster;
  make_relation(cluster, 1);
  Lsn end = invalid_lsn;
  ASSERT_OK(cluster.wal().switch_segment(&end));
  cluster.crash();
  ASSERT_OK(cluster.recover());
  EXPECT_EQ(cluster.wal().positions().insert % (1u << 20), SizeOfXLogLongPHD);
  make_relation(cluster, 2, {default_tablespace_oid, 5, 16390});
  cluster.crash();
  ASSERT_OK(cluster.recover());
  expect_page(cluster, 1, 2, {default_tablespace_oid, 5, 16390});
}

TEST(a_whole_page_needs_no_file) {
  RecoveryFixture cluster;
  make_relation(cluster, 1);
  const xl_smgr_create create{relation, 0};
  log_record(cluster, RmgrId::storage, XLOG_SMGR_CREATE, bytes_of(create));
  cluster.checkpoint();
  {
    BufferRef buffer;
    ASSERT_OK(cluster.pool().read(relation, ForkNumber::main, BlockNumber{0}, ReadMode::normal,
                                  nullptr, &buffer));
    buffer.lock(LockMode::exclusive);
    ASSERT_OK(log_new_page(cluster.services(), TransactionId{3}, buffer, true));
  }
  cluster.flush();
  cluster.crash();
  std::filesystem::remove(cluster.directory() + "/base/5/16384");
  // A whole page needs none before it.
  ASSERT_OK(cluster.recover());
  expect_page(cluster, 0, 1);
}

TEST(multixacts_come_back) {
  RecoveryFixture cluster;
  const xl_multixact_create create{1, 1, 2};
  const MultiXactMember members[2] = {{TransactionId{10}, MultiXactStatus::for_share},
                                      {TransactionId{11}, MultiXactStatus::update}};
  log_record(cluster, RmgrId::multixact, XLOG_MULTIXACT_CREATE_ID,
             bytes_of(create) + bytes_of(members));
  cluster.crash();
  ASSERT_OK(cluster.recover());
  std::vector<MultiXactMember> found;
  ASSERT_OK(cluster.transactions().multixact_members(1, &found));
  ASSERT_EQ(found.size(), size_t{2});
  EXPECT_EQ(found[0].xid, TransactionId{10});
  EXPECT_EQ(found[1].status, MultiXactStatus::update);
  EXPECT_EQ(cluster.transactions().counters().nextMulti, MultiXactId{2});
  EXPECT_EQ(cluster.transactions().counters().nextMultiOffset, 3u);
  // Members that ran are later than no next xid.
  EXPECT_EQ(cluster.transactions().next_full_xid(), FullTransactionId{12});
}

std::string prepared_state(TransactionId xid, const std::vector<TransactionId>& subxacts) {
  std::string state(72, '\0');
  store<uint32_t>(state.data(), 0x57F94534);
  store<TransactionId>(state.data() + 8, xid);
  store<int32_t>(state.data() + 28, static_cast<int32_t>(subxacts.size()));
  store<uint16_t>(state.data() + 54, 3);
  state += std::string("p1\0\0\0\0\0\0", 8);
  for (const TransactionId subxact : subxacts) state += bytes_of(subxact);
  state.resize(max_align(state.size()));
  state += bytes_of(TwoPhaseRecordOnDisk{});  // nothing follows
  store<uint32_t>(state.data() + 4, static_cast<uint32_t>(state.size() + 4));
  return state;
}

TEST(a_prepared_transaction_has_its_file_after_recovery) {
  RecoveryFixture cluster;
  const std::string state =
      prepared_state(TransactionId{20}, {TransactionId{21}, TransactionId{25}});
  log_record(cluster, RmgrId::transaction, XLOG_XACT_PREPARE, state, TransactionId{20});
  const std::string path = cluster.directory() + "/pg_twophase/0000000000000014";
  cluster.crash();
  ASSERT_OK(cluster.recover());
  std::string contents;
  ASSERT_OK(read_whole_file(cluster.files(), path, &contents));
  ASSERT_EQ(contents.size(), state.size() + 4);
  EXPECT(contents.compare(0, state.size(), state) == 0);
  EXPECT_EQ(load<uint32_t>(contents.data() + state.size()),
            crc32c_finish(crc32c(crc32c_initial, state.data(), state.size())));
  EXPECT_EQ(cluster.result().oldest_prepared, TransactionId{20});
  EXPECT_EQ(cluster.transactions().next_full_xid(), FullTransactionId{26});
  // Its end, after another crash with the file there.
  std::string end = bytes_of(TimestampTz{1});
  end += bytes_of(uint32_t{XACT_XINFO_HAS_SUBXACTS | XACT_XINFO_HAS_TWOPHASE});
  end += bytes_of(int32_t{2}) + bytes_of(TransactionId{21}) + bytes_of(TransactionId{25});
  end += bytes_of(TransactionId{20});
  log_record(cluster, RmgrId::transaction, XLOG_XACT_COMMIT_PREPARED | XLOG_XACT_HAS_INFO, end);
  cluster.crash();
  ASSERT_OK(cluster.recover());
  FileInfo info;
  ASSERT_OK(cluster.files().info(path, &info));
  EXPECT_EQ(info.kind, FileKind::none);
  TransactionStatus status;
  ASSERT_OK(cluster.transactions().status_of(TransactionId{25}, &status));
  EXPECT_EQ(status, TransactionStatus::committed);
}

TEST(malformed_records_are_corruption) {
  const struct {
    RmgrId rmgr;
    uint8_t info;
    std::string data;
  } records[] = {
      {RmgrId::transaction, XLOG_XACT_COMMIT, "short"},
      {RmgrId::transaction, XLOG_XACT_COMMIT | XLOG_XACT_HAS_INFO,
       bytes_of(TimestampTz{1}) + bytes_of(uint32_t{XACT_XINFO_HAS_SUBXACTS}) +
           bytes_of(int32_t{1 << 30})},
      {RmgrId::transaction, XLOG_XACT_PREPARE, "no state"},
      {RmgrId::clog, CLOG_ZEROPAGE, bytes_of(int64_t{-1})},
      {RmgrId::multixact, XLOG_MULTIXACT_CREATE_ID, bytes_of(xl_multixact_create{1, 1, 5})},
      {RmgrId::relmap, XLOG_RELMAP_UPDATE, bytes_of(xl_relmap_update{5, 1663, 4})},
      {RmgrId::database, XLOG_DBASE_DROP, bytes_of(xl_dbase_drop_rec{5, 3})},
      {RmgrId::tablespace, XLOG_TBLSPC_CREATE, bytes_of(Oid{7}) + "no end"},
      {RmgrId::storage, XLOG_SMGR_TRUNCATE, "short"},
      {RmgrId::xlog, XLOG_PARAMETER_CHANGE, "short"},
      {RmgrId::clog, 0xE0, "unknown"},
  };
  for (const auto& wrong : records) {
    RecoveryFixture cluster;
    log_record(cluster, wrong.rmgr, wrong.info, wrong.data, TransactionId{5});
    cluster.crash();
    const Status status = cluster.recover();
    EXPECT_EQ(status.code(), ErrorCode::data_corrupted);
    if (!status.is_ok()) EXPECT(status.report().message.rfind("invalid WAL record at ", 0) == 0);
  }
}

TEST(restart_points_move_the_beginning) {
  RecoveryFixture cluster;
  cluster.restart_point_bytes = 1;
  make_relation(cluster, 3);
  const Lsn first = cluster.control().checkPoint;
  const ControlFile before = cluster.control();
  cluster.checkpoint();
  make_relation(cluster, 2, {default_tablespace_oid, 5, 16390});
  cluster.crash();
  cluster.control() = before;  // as if pg_control had not been written
  cluster.on_progress = [&](const RecoveryProgress& progress) {
    return progress.records == 0 || progress.position != progress.upto;
  };
  EXPECT_EQ(cluster.recover().code(), ErrorCode::query_canceled);
  EXPECT_NE(cluster.control().checkPoint, first);
  cluster.on_progress = nullptr;
  cluster.crash();
  ASSERT_OK(cluster.recover());
  expect_page(cluster, 2, 3);
  expect_page(cluster, 1, 2, {default_tablespace_oid, 5, 16390});
}

TEST(unlogged_relations_begin_as_their_init_forks) {
  RecoveryFixture cluster;
  const std::string base = cluster.directory() + "/base/5/";
  const std::string page(8192, '\0');
  FileSystem& files = cluster.files();
  RecoveryFixture::must(replace_file_durably(files, base + "16500", "garbage"));
  RecoveryFixture::must(replace_file_durably(files, base + "16500.1", "garbage"));
  RecoveryFixture::must(replace_file_durably(files, base + "16500_vm", "garbage"));
  RecoveryFixture::must(replace_file_durably(files, base + "16500_init", page));
  RecoveryFixture::must(replace_file_durably(files, base + "16501", "kept"));
  cluster.crash();
  ASSERT_OK(cluster.recover());
  std::string contents;
  ASSERT_OK(read_whole_file(files, base + "16500", &contents));
  EXPECT(contents == page);
  ASSERT_OK(read_whole_file(files, base + "16501", &contents));
  EXPECT(contents == "kept");
  for (const char* gone : {"16500.1", "16500_vm"})
    EXPECT_EQ(read_whole_file(files, base + gone, &contents).code(), ErrorCode::undefined_file);
}

}  // namespace
}  // namespace pgdata

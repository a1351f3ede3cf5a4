// Tests of checkpoints.
// Goal: a checkpoint leaves the records of PostgreSQL 18 in the log, everything older on disk, and pg_control
// naming it. Method: a small cluster, whose log and files are read back by other means than wrote them.
#include "engine/checkpoint.h"

#include "base/test.h"
#include "engine/control_file.h"
#include "layout/wal_transaction_records.h"
#include "layout/wal_xlog_records.h"
#include "wal/wal_reader.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

constexpr RelFileLocator relation{default_tablespace_oid, 5, 16384};

struct SeenRecord {
  RmgrId rmgr;
  uint8_t info;
  Lsn lsn;
  std::vector<std::byte> data;
};

std::vector<SeenRecord> read_log(test::TestCluster& cluster, Lsn from) {
  WalReaderOptions options;
  options.directory = cluster.directory() + "/pg_wal";
  options.segment_bytes = 1u << 20;
  WalReader reader(posix_file_system(), options);
  reader.begin_at(from);
  std::vector<SeenRecord> records;
  for (;;) {
    bool found = false;
    test::TestCluster::must(reader.next(&found));
    if (!found) return records;
    const DecodedWalRecord& record = reader.record();
    records.push_back({static_cast<RmgrId>(record.rmgr()),
                       record.info(),
                       record.lsn,
                       {record.main_data, record.main_data + record.main_data_length}});
  }
}

// Adds a page with a mark on it, logged, in the pool alone.
Status add_page(test::TestCluster& cluster, Backend& backend, uint32_t mark) {
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid));
  BufferRef buffer;
  BlockNumber block{};
  RETURN_IF_ERROR(cluster.pool().extend(relation, ForkNumber::main, 1, nullptr, &buffer, &block));
  Change change(cluster.services(), xid, RmgrId::generic, 0);
  change.block(0, buffer, REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
  change.begin();
  buffer.page().initialize(0);
  buffer.page().header().pd_upper = 8000;
  store<uint32_t>(buffer.page().bytes() + 8000, mark);
  return change.finish();
}

uint32_t mark_on_disk(test::TestCluster& cluster, uint32_t block) {
  alignas(4096) std::byte bytes[8192];
  std::byte* pages[] = {bytes};
  test::TestCluster::must(
      cluster.storage().read(relation, ForkNumber::main, BlockNumber{block}, pages, 1));
  return load<uint32_t>(bytes + 8000);
}

TEST(an_online_checkpoint_is_logged_as_postgresql_does) {
  test::TestCluster cluster;
  ControlFile control = new_control_file(7);
  ASSERT_OK(cluster.storage().create(relation, ForkNumber::main));
  {
    std::unique_ptr<Backend> backend = cluster.backend();
    ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
    ASSERT_OK(add_page(cluster, *backend, 0xABCD));
    EXPECT_NE(mark_on_disk(cluster, 0), 0xABCDu);
    control.checkPoint = 1;
    EXPECT(needs_checkpoint(cluster.services(), control));

    const Lsn before = cluster.wal().positions().insert;
    ASSERT_OK(create_checkpoint(posix_file_system(), cluster.directory(), cluster.services(),
                                cluster.transactions(), CheckpointKind::online, &control));
    EXPECT_EQ(mark_on_disk(cluster, 0), 0xABCDu);

    const std::vector<SeenRecord> records = read_log(cluster, before);
    ASSERT_EQ(records.size(), 3);
    EXPECT_EQ(records[0].rmgr, RmgrId::xlog);
    EXPECT_EQ(records[0].info, XLOG_CHECKPOINT_REDO);
    ASSERT_EQ(records[0].data.size(), sizeof(xl_checkpoint_redo));
    EXPECT_EQ(load<int32_t>(records[0].data.data()), 1);
    EXPECT_EQ(records[1].rmgr, RmgrId::standby);
    EXPECT_EQ(records[1].info, XLOG_RUNNING_XACTS);
    const xl_running_xacts running = load<xl_running_xacts>(records[1].data.data());
    EXPECT_EQ(running.xcnt, 1);
    EXPECT_EQ(running.oldestRunningXid, backend->xid());
    EXPECT_EQ(records[2].rmgr, RmgrId::xlog);
    EXPECT_EQ(records[2].info, XLOG_CHECKPOINT_ONLINE);
    ASSERT_EQ(records[2].data.size(), sizeof(CheckPoint));
    const CheckPoint logged = load<CheckPoint>(records[2].data.data());
    EXPECT_EQ(logged.redo, records[0].lsn);
    EXPECT_EQ(logged.oldestActiveXid, backend->xid());
    EXPECT_EQ(xid_of(logged.nextXid), next(backend->xid()));

    ControlFile on_disk;
    ASSERT_OK(read_control_file(posix_file_system(), cluster.directory(), &on_disk));
    EXPECT_EQ(on_disk.checkPoint, records[2].lsn);
    EXPECT(std::memcmp(&on_disk.checkPointCopy, &logged, sizeof(logged)) == 0);
    EXPECT(!needs_checkpoint(cluster.services(), control));
    EXPECT_EQ(cluster.wal().flushed(), cluster.wal().positions().insert);
    backend->abort();
  }
}

TEST(a_shutdown_checkpoint_is_its_own_redo_point_and_the_last_record) {
  test::TestCluster cluster;
  ControlFile control = new_control_file(7);
  control.state = DBState::DB_IN_PRODUCTION;
  ASSERT_OK(cluster.storage().create(relation, ForkNumber::main));
  {
    std::unique_ptr<Backend> backend = cluster.backend();
    ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
    ASSERT_OK(add_page(cluster, *backend, 0x1234));
    Lsn flush_upto = 0;
    ASSERT_OK(backend->commit(true, &flush_upto));
  }
  ASSERT_OK(create_checkpoint(posix_file_system(), cluster.directory(), cluster.services(),
                              cluster.transactions(), CheckpointKind::shutdown, &control));
  EXPECT_EQ(mark_on_disk(cluster, 0), 0x1234u);
  EXPECT(control.state == DBState::DB_SHUTDOWNED);
  EXPECT_EQ(control.checkPoint, control.checkPointCopy.redo);
  const std::vector<SeenRecord> records = read_log(cluster, control.checkPoint);
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(records[0].info, XLOG_CHECKPOINT_SHUTDOWN);
  const TransactionCounters counters = counters_of(control.checkPointCopy);
  EXPECT_EQ(counters.nextXid, cluster.transactions().next_full_xid());
  EXPECT_EQ(counters.oldestActiveXid, invalid_transaction_id);

  ControlFile on_disk;
  ASSERT_OK(read_control_file(posix_file_system(), cluster.directory(), &on_disk));
  EXPECT_EQ(format_control_file(on_disk), format_control_file(control));
}

TEST(a_checkpoint_removes_what_is_no_longer_needed) {
  test::TestCluster cluster;
  ControlFile control = new_control_file(7);
  ASSERT_OK(cluster.storage().create(relation, ForkNumber::main));
  const std::string path = cluster.directory() + "/base/5/16384";
  ASSERT(std::filesystem::exists(path));
  const std::string first = cluster.directory() + "/pg_wal/000000010000000000000001";
  ASSERT(std::filesystem::exists(first));
  ASSERT_OK(cluster.storage().unlink(relation, false));
  Lsn end = 0;
  ASSERT_OK(cluster.wal().switch_segment(&end));
  ASSERT_OK(create_checkpoint(posix_file_system(), cluster.directory(), cluster.services(),
                              cluster.transactions(), CheckpointKind::online, &control));
  EXPECT(!std::filesystem::exists(path));
  EXPECT(!std::filesystem::exists(first));
}

TEST(a_checkpoint_that_pg_control_does_not_name_poisons) {
  test::TestCluster cluster;
  ControlFile control = new_control_file(7);
  std::filesystem::remove_all(cluster.directory() + "/global");
  Status status = create_checkpoint(posix_file_system(), cluster.directory(), cluster.services(),
                                    cluster.transactions(), CheckpointKind::online, &control);
  EXPECT(!status.is_ok());
  EXPECT(cluster.state().is_poisoned());
}

}  // namespace
}  // namespace pgdata

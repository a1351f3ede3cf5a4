// What tests of transactions share: running one, its outcome, and the records it left in the log.
#pragma once

#include <vector>

#include "base/test.h"
#include "layout/wal_record.h"
#include "wal/wal_reader.h"
#include "xact/backend.h"
#include "xact/test_cluster.h"

namespace pgdata::test {

struct LoggedRecord {
  uint8_t rmgr;
  uint8_t info;  // with the low half
  TransactionId xid;
  std::vector<std::byte> data;
};

// All records of the cluster's log.
inline std::vector<LoggedRecord> read_log(TestCluster& cluster) {
  TestCluster::must(cluster.wal().flush(cluster.wal().positions().insert));
  WalReaderOptions options;
  options.directory = cluster.directory() + "/pg_wal";
  options.segment_bytes = 1u << 20;
  WalReader reader(posix_file_system(), options);
  bool found = false;
  TestCluster::must(reader.begin_after(Lsn{1} << 20, &found));
  std::vector<LoggedRecord> records;
  while (found) {
    TestCluster::must(reader.next(&found));
    if (!found) break;
    const DecodedWalRecord& record = reader.record();
    records.push_back({record.rmgr(),
                       record.header.xl_info,
                       record.header.xl_xid,
                       {record.main_data, record.main_data + record.main_data_length}});
  }
  return records;
}

inline std::vector<LoggedRecord> records_of(TestCluster& cluster, RmgrId rmgr) {
  std::vector<LoggedRecord> all = read_log(cluster);
  std::erase_if(
      all, [&](const LoggedRecord& record) { return record.rmgr != static_cast<uint8_t>(rmgr); });
  return all;
}

inline TransactionId begin_writing(Backend& backend) {
  TestCluster::must(backend.begin(IsolationLevel::read_committed, false));
  TransactionId xid{};
  TestCluster::must(backend.assign_xid(&xid));
  return xid;
}

inline void commit_now(Backend& backend) {
  Lsn upto = 1;
  TestCluster::must(backend.commit(true, &upto));
  EXPECT_EQ(upto, invalid_lsn);
}

inline TransactionStatus status_of(TestCluster& cluster, TransactionId xid) {
  TransactionStatus status{};
  TestCluster::must(cluster.transactions().status_of(xid, &status));
  return status;
}

inline bool is_running(TestCluster& cluster, TransactionId xid) {
  bool running = false;
  TestCluster::must(cluster.transactions().is_in_progress(xid, &running));
  return running;
}

}  // namespace pgdata::test

// What tests of replay use: a small cluster that can be left in a crash and recovered.
//
//   RecoveryFixture cluster;
//   ... change pages through Change with cluster.services() ...
//   cluster.crash();                  // what is in the pool is lost; the log is kept as far as it was flushed
//   ASSERT_OK(cluster.recover());     // replays, and continues the log
//   ... look at pages ...
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "base/invariant.h"
#include "base/test.h"
#include "layout/wal_xlog_records.h"
#include "recovery/recovery.h"
#include "xact/backend.h"
#include "xact/checkpoint_counters.h"

namespace pgdata::test {

class RecoveryFixture {
 public:
  explicit RecoveryFixture(FileSystem& files = posix_file_system(), uint32_t buffers = 128)
      : files_(files), buffers_(buffers) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "pgdata_recovery_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    for (const char* name : {"pg_wal", "pg_xact", "pg_subtrans", "pg_multixact",
                             "pg_multixact/offsets", "pg_multixact/members", "pg_twophase",
                             "pg_tblspc", "pg_logical", "base", "base/5", "global"}) {
      must(files_.make_directory(directory_ + "/" + name));
    }
    control_.system_identifier = 1;
    control_.xlog_seg_size = 1u << 20;
    build();
    must(wal_->create_log());
    must(transactions_->create(TransactionCounters{}));
    checkpoint(true);
    control_.state = DBState::DB_IN_PRODUCTION;
  }
  ~RecoveryFixture() {
    crash();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  RecoveryFixture(const RecoveryFixture&) = delete;

  // Writes everything out and moves the place where recovery begins.
  void checkpoint(bool shutdown = false) {
    CheckPoint body;
    storage_->begin_checkpoint();
    must(wal_->begin_checkpoint(shutdown, &body.redo));
    set_counters(
        transactions_->counters(shutdown ? CheckpointKind::shutdown : CheckpointKind::online),
        &body);
    must(transactions_->write_all_dirty());
    must(pool_->write_all_dirty());
    must(storage_->sync_pending());
    WalRecord record;
    record.begin(RmgrId::xlog, shutdown ? XLOG_CHECKPOINT_SHUTDOWN : XLOG_CHECKPOINT_ONLINE,
                 invalid_transaction_id);
    record.data(&body, sizeof(body));
    Lsn end = invalid_lsn;
    must(wal_->insert(record, &end, &control_.checkPoint));
    must(wal_->flush(end));
    control_.checkPointCopy = body;
  }
  // Makes all that was logged durable.
  void flush() { must(wal_->flush(wal_->positions().insert)); }
  // Forgets what is in memory.
  void crash() {
    transactions_.reset();
    services_.reset();
    pool_.reset();
    wal_.reset();
    storage_.reset();
    segment_.reset();
  }
  Status recover() {
    RecoveryPlan plan;
    RETURN_IF_ERROR(plan_recovery(files_, directory_, control_, &plan));
    build();
    RecoveryOptions options;
    options.data_directory = directory_;
    options.restart_point_bytes = restart_point_bytes;
    options.write_control = [](ControlFile&) { return Status(); };
    options.on_progress = on_progress;
    result_ = RecoveryResult();
    RETURN_IF_ERROR(recover_with(plan, options));
    RETURN_IF_ERROR(
        wal_->continue_log(result_.last_record, plan.checkpoint.redo, result_.missing_contrecord));
    TransactionCounters counters = transactions_->counters();
    counters.oldestActiveXid = result_.oldest_prepared;
    RETURN_IF_ERROR(transactions_->start(counters));
    if (result_.missing_contrecord != invalid_lsn)
      RETURN_IF_ERROR(log_overwrite_contrecord(*services_, result_.aborted_record));
    return Status::ok;
  }

  std::unique_ptr<Backend> backend(Oid database = 5) {
    std::unique_ptr<Backend> made;
    must(Backend::create(*services_, *transactions_, database, &made));
    return made;
  }

  uint64_t restart_point_bytes = UINT64_MAX / 2;
  std::function<bool(const RecoveryProgress&)> on_progress;

  const std::string& directory() const { return directory_; }
  FileSystem& files() { return files_; }
  ControlFile& control() { return control_; }
  const RecoveryResult& result() const { return result_; }
  StorageServices& services() { return *services_; }
  TransactionSystem& transactions() { return *transactions_; }
  Storage& storage() { return *storage_; }
  BufferPool& pool() { return *pool_; }
  Wal& wal() { return *wal_; }

  static void must(const Status& status) {
    if (status.is_ok()) return;
    report_failure(__FILE__, __LINE__, status.report().message + " " + status.report().detail);
    invariant_failed("what a test stands on succeeds", __FILE__, __LINE__);
  }

 private:
  Status recover_with(const RecoveryPlan& plan, const RecoveryOptions& options) {
    return pgdata::recover(plan, options, *services_, *transactions_, &control_, &result_);
  }

  void build() {
    StorageOptions storage_options;
    storage_options.data_directory = directory_;
    WalOptions wal_options;
    wal_options.directory = directory_ + "/pg_wal";
    wal_options.segment_bytes = control_.xlog_seg_size;
    wal_options.buffer_pages = 64;
    wal_options.system_identifier = control_.system_identifier;
    BufferPoolOptions pool_options;
    pool_options.buffers = buffers_;
    TransactionSystemOptions transaction_options;
    transaction_options.max_prepared_transactions = 4;
    transaction_options.max_backends = 16;
    transaction_options.clog_buffers = 16;

    SegmentPlan plan;
    plan.reserve("cluster state", sizeof(ClusterState));
    Wal::plan(plan, wal_options);
    BufferPool::plan(plan, pool_options);
    TransactionSystem::plan(plan, transaction_options);
    must(Segment::create("", plan, &segment_));
    ClusterState* state = new (segment_->find("cluster state")) ClusterState;
    storage_ = std::make_unique<Storage>(files_, storage_options);
    wal_ = std::make_unique<Wal>(files_, *segment_, *state, wal_options);
    pool_ = std::make_unique<BufferPool>(*segment_, *storage_, wal_.get(), *state, pool_options);
    services_.reset(new StorageServices{*state, *storage_, *wal_, *pool_});
    transactions_ = std::make_unique<TransactionSystem>(*segment_, *services_, transaction_options);
  }

  FileSystem& files_;
  uint32_t buffers_;
  std::string directory_;
  ControlFile control_;
  RecoveryResult result_;
  std::unique_ptr<Segment> segment_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Wal> wal_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<StorageServices> services_;
  std::unique_ptr<TransactionSystem> transactions_;
};

}  // namespace pgdata::test

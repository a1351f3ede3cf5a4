// Reading descriptors out of JavaScript objects. A field of the wrong type is our own TypeScript's error.
#include "addon/descriptor.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "addon/error.h"
#include "addon/fields.h"
#include "addon/log_queue_object.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

Status read_attribute(const Napi::Object& object, TableColumn* column) {
  Fields fields(object);
  Attribute& attribute = column->attribute;
  std::snprintf(attribute.attname, sizeof(attribute.attname), "%s", fields.text("name").c_str());
  attribute.atttypid = fields.number("typeOid");
  attribute.attlen = static_cast<int16_t>(fields.integer("length"));
  attribute.attbyval = fields.boolean("byValue");
  attribute.attalign = fields.letter("align");
  attribute.attstorage = fields.letter("storage");
  attribute.attcompression = fields.letter("compression");
  attribute.attnotnull = fields.boolean("notNull");
  attribute.attisdropped = fields.boolean("dropped");
  attribute.atttypmod = fields.integer("typmod");
  attribute.attcollation = fields.number("collation");
  column->element_type = fields.number("elementType");
  RETURN_IF_ERROR(read_lane(fields.raw("lane"), &column->lane));
  const Napi::Value missing = fields.raw("missing");
  if (missing.IsTypedArray()) {
    const auto bytes = missing.As<Napi::Uint8Array>();
    attribute.has_missing = true;
    if (attribute.attbyval) {
      Datum datum = 0;
      std::memcpy(&datum, bytes.Data(), std::min<size_t>(bytes.ByteLength(), sizeof(datum)));
      attribute.missing = datum;
    } else {
      // A varlena comes without its header.
      const size_t header = attribute.attlen == -1 ? VARHDRSZ : 0;
      attribute.missing_bytes.resize(header + bytes.ByteLength());
      std::memcpy(attribute.missing_bytes.data() + header, bytes.Data(), bytes.ByteLength());
      if (header != 0)
        set_varlena_size_4b(attribute.missing_bytes.data(),
                            static_cast<uint32_t>(attribute.missing_bytes.size()));
    }
  }
  return fields.status();
}

Status read_index(const Napi::Object& object, int column_count, TableIndexDefinition* index) {
  Fields fields(object);
  index->oid = fields.number("oid");
  index->name = fields.text("name");
  index->locator = fields.locator("locator");
  index->unique = fields.boolean("unique");
  index->nulls_not_distinct = fields.boolean("nullsNotDistinct");
  index->usable = fields.boolean("usable");
  index->key_count = fields.integer("keyCount");
  index->fillfactor = fields.integer("fillfactor");
  const Napi::Array columns = fields.array("columns");
  for (uint32_t i = 0; i < columns.Length(); i++) {
    const Napi::Value value = columns.Get(i);
    if (!value.IsObject()) return bad_argument("columns");
    Fields column(value.As<Napi::Object>());
    TableIndexColumn made;
    made.attribute = column.integer("attribute") - 1;
    made.opfamily = column.number("family");
    made.opcintype = column.number("operandType");
    made.collation = column.number("collation");
    made.descending = column.boolean("descending");
    made.nulls_first = column.boolean("nullsFirst");
    RETURN_IF_ERROR(column.status());
    // Attribute 0 is an expression: an index that is not usable.
    if (made.attribute >= column_count || (made.attribute < 0 && index->usable))
      return bad_argument("attribute");
    index->columns.push_back(made);
  }
  if (index->key_count < 1 || index->key_count > static_cast<int>(index->columns.size()))
    return bad_argument("keyCount");
  return fields.status();
}

}  // namespace

Status read_lane(const Napi::Value& value, Lane* lane) {
  if (value.IsString()) {
    *lane = value.As<Napi::String>().Utf8Value() == "text" ? Lane::text : Lane::bytes;
    return Status::ok;
  }
  if (!value.IsNumber()) return bad_argument("lane");
  *lane = static_cast<Lane>(value.As<Napi::Number>().Uint32Value());
  switch (*lane) {
    case Lane::width1:
    case Lane::width2:
    case Lane::width4:
    case Lane::width8:
      return Status::ok;
    default:
      return bad_argument("lane");
  }
}

Status read_locator(const Napi::Value& value, RelFileLocator* locator) {
  if (!value.IsObject()) return bad_argument("locator");
  Fields fields(value.As<Napi::Object>());
  locator->spcOid = fields.number("spcOid");
  locator->dbOid = fields.number("dbOid");
  locator->relNumber = fields.number("relNumber");
  return fields.status();
}

Status read_engine_options(const Napi::Object& object, EngineOptions* options) {
  Fields fields(object);
  options->data_directory = fields.text("dataDirectory");
  options->read_only = fields.boolean("readOnly");
  options->shared_buffers = fields.number("sharedBuffers");
  options->wal_buffers = fields.number("walBuffers");
  options->io_mode = fields.text("ioMode") == "direct" ? IoMode::direct : IoMode::buffered;
  const std::string method = fields.text("walSyncMethod");
  options->wal_sync_method = method == "fdatasync"       ? WalSyncMethod::fdatasync
                             : method == "fsync"         ? WalSyncMethod::fsync
                             : method == "open_datasync" ? WalSyncMethod::open_datasync
                             : method == "open_datasync_direct"
                                 ? WalSyncMethod::open_datasync_direct
                                 : WalSyncMethod::adaptive;
  options->fsync = fields.boolean("fsync");
  options->recovery_syncs_file_systems = fields.boolean("recoverySyncsFileSystems");
  options->full_page_writes = fields.boolean("fullPageWrites");
  options->wal_consistency_checking = fields.text("walConsistencyChecking");
  options->max_backends = fields.number("maxBackends");
  options->max_prepared_transactions = fields.number("maxPreparedTransactions");
  options->wal_writer_delay_ms = fields.number("walWriterDelay");
  options->wal_writer_flush_after_bytes = fields.bytes("walWriterFlushAfter");
  options->track_counts = fields.boolean("trackCounts");
  options->track_io_timing = fields.boolean("trackIoTiming");
  options->track_wal_io_timing = fields.boolean("trackWalIoTiming");
  options->max_locks_per_transaction = fields.number("maxLocksPerTransaction");
  options->min_wal_bytes = fields.bytes("minWalSize");
  options->max_wal_bytes = fields.bytes("maxWalSize");
  options->checkpoint_timeout_seconds = fields.number("checkpointTimeout");
  options->checkpoint_completion_target = fields.real("checkpointCompletionTarget");
  options->background_writer.delay_ms = fields.number("bgwriterDelay");
  options->background_writer.lru_maxpages = fields.number("bgwriterLruMaxpages");
  options->background_writer.lru_multiplier = fields.real("bgwriterLruMultiplier");
  options->archiving = fields.boolean("archiving");
  options->archive_timeout_seconds = fields.number("archiveTimeout");
  options->max_pred_locks_per_transaction = fields.integer("maxPredLocksPerTransaction");
  options->max_pred_locks_per_relation = fields.integer("maxPredLocksPerRelation");
  options->max_pred_locks_per_page = fields.integer("maxPredLocksPerPage");
  options->wal_level = fields.text("walLevel") == "minimal" ? 0 : 1;
  options->wal_log_hints = fields.boolean("walLogHints");
  options->track_commit_timestamp = fields.boolean("trackCommitTimestamp");
  options->max_worker_processes = fields.integer("maxWorkerProcesses");
  options->max_wal_senders = fields.integer("maxWalSenders");
  options->shared = fields.boolean("shared");
  options->log_checkpoints = fields.boolean("logCheckpoints");
  options->log_lock_waits = fields.boolean("logLockWaits");
  RETURN_IF_ERROR(LogQueueObject::read(object, &options->log));
  return fields.status();
}

Status read_init_parameters(const Napi::Object& object, InitParameters* parameters) {
  Fields fields(object);
  parameters->block_size = fields.number("blockSize");
  parameters->wal_segment_bytes = fields.number("walSegmentSize");
  parameters->data_checksums = fields.boolean("dataChecksums");
  parameters->next_xid = fields.number("nextXid");
  parameters->next_oid = fields.number("nextOid");
  parameters->oldest_xid_database = fields.number("oldestXidDatabase");
  const Napi::Value identifier = fields.raw("systemIdentifier");
  if (!identifier.IsBigInt()) return bad_argument("systemIdentifier");
  bool lossless = false;
  parameters->system_identifier = identifier.As<Napi::BigInt>().Uint64Value(&lossless);
  return fields.status();
}

Status read_table_definition(const Napi::Object& object, TableDefinition* definition) {
  Fields fields(object);
  definition->oid = fields.number("oid");
  definition->schema = fields.text("schema");
  definition->name = fields.text("name");
  definition->locator = fields.locator("locator");
  const std::string persistence = fields.text("persistence");
  definition->logged = persistence == "p";
  definition->temporary = persistence == "t";
  definition->fillfactor = fields.number("fillfactor");
  definition->bytewise_default_collation = fields.boolean("bytewiseDefaultCollation");
  const Napi::Array attributes = fields.array("attributes");
  for (uint32_t i = 0; i < attributes.Length(); i++) {
    const Napi::Value value = attributes.Get(i);
    if (!value.IsObject()) return bad_argument("attributes");
    definition->columns.emplace_back();
    RETURN_IF_ERROR(read_attribute(value.As<Napi::Object>(), &definition->columns.back()));
  }
  const Napi::Array indexes = fields.array("indexes");
  for (uint32_t i = 0; i < indexes.Length(); i++) {
    const Napi::Value value = indexes.Get(i);
    if (!value.IsObject()) return bad_argument("indexes");
    definition->indexes.emplace_back();
    RETURN_IF_ERROR(read_index(value.As<Napi::Object>(), static_cast<int>(attributes.Length()),
                               &definition->indexes.back()));
  }
  const Napi::Value toast = fields.raw("toast");
  if (toast.IsObject()) {
    Fields toast_fields(toast.As<Napi::Object>());
    definition->has_toast = true;
    definition->toast_oid = toast_fields.number("oid");
    definition->toast_locator = toast_fields.locator("locator");
    definition->toast_index_oid = toast_fields.number("indexOid");
    definition->toast_index_locator = toast_fields.locator("indexLocator");
    RETURN_IF_ERROR(toast_fields.status());
  }
  return fields.status();
}

Status read_vacuum_target(const Napi::Value& value, VacuumTarget* target) {
  if (!value.IsObject()) return bad_argument("bounds");
  Fields fields(value.As<Napi::Object>());
  target->relfrozenxid = TransactionId{fields.number("relfrozenxid")};
  target->relminmxid = fields.number("relminmxid");
  target->relpages = fields.number("relpages");
  const Napi::Value reltuples = fields.raw("reltuples");
  if (!reltuples.IsNumber()) return bad_argument("reltuples");
  target->reltuples = reltuples.As<Napi::Number>().DoubleValue();
  return fields.status();
}

Status read_memory_limits(const Napi::Value& value, MemoryLimits* memory,
                          TemporaryLimits* temporary) {
  if (!value.IsObject()) return bad_argument("limits");
  Fields fields(value.As<Napi::Object>());
  memory->work_mem_bytes = fields.bytes("workMem");
  fields.take("hashMemMultiplier", &memory->hash_mem_multiplier);
  memory->maintenance_work_mem_bytes = fields.bytes("maintenanceWorkMem");
  temporary->temp_file_limit_bytes = static_cast<int64_t>(fields.bytes("tempFileLimit"));
  temporary->log_temp_files_bytes = static_cast<int64_t>(fields.bytes("logTempFiles"));
  memory->tablespace = fields.number("tablespace");
  return fields.status();
}

Status read_cost_settings(const Napi::Value& value, CostSettings* settings) {
  if (!value.IsObject()) return bad_argument("settings");
  Fields fields(value.As<Napi::Object>());
  fields.take("vacuum_cost_delay", &settings->vacuum_cost_delay_ms);
  fields.take("vacuum_cost_limit", &settings->vacuum_cost_limit);
  fields.take("vacuum_cost_page_miss", &settings->vacuum_cost_page_miss);
  fields.take("vacuum_cost_page_dirty", &settings->vacuum_cost_page_dirty);
  return Status::ok;
}

Status read_vacuum_settings(const Napi::Value& value, VacuumSettings* settings) {
  RETURN_IF_ERROR(read_cost_settings(value, settings));
  Fields fields(value.As<Napi::Object>());
  FreezeSettings& freeze = settings->freeze;
  fields.take("vacuum_freeze_min_age", &freeze.vacuum_freeze_min_age);
  fields.take("vacuum_freeze_table_age", &freeze.vacuum_freeze_table_age);
  fields.take("vacuum_multixact_freeze_min_age", &freeze.vacuum_multixact_freeze_min_age);
  fields.take("vacuum_multixact_freeze_table_age", &freeze.vacuum_multixact_freeze_table_age);
  fields.take("vacuum_failsafe_age", &freeze.vacuum_failsafe_age);
  fields.take("vacuum_multixact_failsafe_age", &freeze.vacuum_multixact_failsafe_age);
  fields.take("autovacuum_freeze_max_age", &freeze.autovacuum_freeze_max_age);
  fields.take("autovacuum_multixact_freeze_max_age", &freeze.autovacuum_multixact_freeze_max_age);
  fields.take("vacuum_max_eager_freeze_failure_rate",
              &settings->vacuum_max_eager_freeze_failure_rate);
  settings->maintenance_work_mem_bytes = fields.bytes("maintenanceWorkMem");
  settings->disable_page_skipping = fields.boolean("disablePageSkipping");
  settings->truncate = fields.boolean("truncate");
  const std::string cleanup = fields.text("indexCleanup");
  settings->index_cleanup = cleanup == "on"    ? IndexCleanup::on
                            : cleanup == "off" ? IndexCleanup::off
                                               : IndexCleanup::automatic;
  return fields.status();
}

Status read_analyzed_columns(const Napi::Value& value, const Table& table,
                             std::vector<AnalyzedColumn>* columns) {
  if (!value.IsArray()) return bad_argument("columns");
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value element = array.Get(i);
    if (!element.IsObject()) return bad_argument("columns");
    Fields fields(element.As<Napi::Object>());
    AnalyzedColumn column;
    column.attribute = fields.integer("attribute") - 1;
    column.target = fields.number("target");
    const std::string method = fields.text("method");
    column.method = method == "scalar"     ? ColumnMethod::scalar
                    : method == "distinct" ? ColumnMethod::distinct
                                           : ColumnMethod::trivial;
    column.order.opfamily = fields.number("family");
    column.order.opcintype = fields.number("operandType");
    column.order.element_type = fields.number("elementType");
    column.order.collation = fields.number("collation");
    column.order.default_collation_is_bytewise = table.definition().bytewise_default_collation;
    column.collation_is_deterministic = fields.boolean("isDeterministic");
    column.has_equal_image = fields.boolean("hasEqualImage");
    RETURN_IF_ERROR(fields.status());
    if (column.attribute < 0 || column.attribute >= table.natts()) return bad_argument("attribute");
    if (column.target == 0) return bad_argument("target");
    columns->push_back(column);
  }
  return Status::ok;
}

}  // namespace pgdata

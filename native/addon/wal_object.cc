// WalObject: records in batches.
#include "addon/wal_object.h"

#include <algorithm>
#include <cstring>

#include "addon/environment.h"
#include "addon/error.h"
#include "file/file_system.h"

namespace pgdata {

namespace {

// Records read in one call, so that a filter that accepts nothing does not keep the event loop.
constexpr uint32_t records_per_call_max = 50000;

uint32_t number_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

std::optional<uint32_t> optional_number_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) return std::nullopt;
  return value.As<Napi::Number>().Uint32Value();
}

uint64_t big_number_of(const Napi::Object& object, const char* name, uint64_t otherwise) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBigInt()) return otherwise;
  bool lossless;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

WalFilter filter_of(const Napi::Object& object) {
  WalFilter filter;
  const Napi::Value rmgrs = object.Get("rmgrs");
  if (rmgrs.IsArray()) {
    filter.by_rmgr = true;
    const auto list = rmgrs.As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); i++)
      filter.rmgrs[list.Get(i).ToNumber().Uint32Value() & 0xFF] = true;
  }
  filter.xid = optional_number_of(object, "xid");
  const Napi::Value relation = object.Get("relation");
  if (relation.IsObject()) {
    const auto locator = relation.As<Napi::Object>();
    filter.relation = RelFileLocator{number_of(locator, "spcOid"), number_of(locator, "dbOid"),
                                     number_of(locator, "relNumber")};
  }
  filter.block = optional_number_of(object, "block");
  filter.fork = optional_number_of(object, "fork");
  filter.full_page = object.Get("fullPage").ToBoolean().Value();
  filter.end = big_number_of(object, "end", ~uint64_t{0});
  return filter;
}

uint32_t image_bytes(const DecodedWalRecord& record) {
  uint32_t bytes = 0;
  for (int id = 0; id < record.block_count; id++)
    if (record.blocks[id].in_use && record.blocks[id].has_image)
      bytes += record.blocks[id].image_length;
  return bytes;
}

}  // namespace

bool WalFilter::accepts(const DecodedWalRecord& record) const {
  if (by_rmgr && !rmgrs[record.rmgr()]) return false;
  if (xid.has_value() && value_of(record.header.xl_xid) != *xid) return false;
  if (full_page && image_bytes(record) == 0) return false;
  if (!relation.has_value() && !block.has_value() && !fork.has_value()) return true;
  for (int id = 0; id < record.block_count; id++) {
    const WalBlock& reference = record.blocks[id];
    if (reference.in_use && (!relation.has_value() || reference.relation == *relation) &&
        (!block.has_value() || value_of(reference.number) == *block) &&
        (!fork.has_value() || static_cast<uint32_t>(reference.fork) == *fork))
      return true;
  }
  return false;
}

Napi::Function WalObject::define(Napi::Env env) {
  return DefineClass(env, "NativeWal",
                     {
                         InstanceMethod("begin", &WalObject::begin),
                         InstanceMethod("next", &WalObject::next),
                         InstanceMethod("position", &WalObject::position),
                         InstanceMethod("endReason", &WalObject::end_reason),
                         InstanceMethod("major", &WalObject::major),
                     });
}

WalObject::WalObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WalObject>(info) {
  if (info.Length() != 2 || !info[0].IsObject() || !info[1].IsObject()) {
    throw_error(info.Env(), bad_argument("options"));
    return;
  }
  const auto given = info[0].As<Napi::Object>();
  WalReaderOptions options;
  options.directory = given.Get("directory").ToString().Utf8Value();
  options.block_size = number_of(given, "blockSize");
  options.segment_bytes = number_of(given, "segmentSize");
  options.timeline = number_of(given, "timeline");
  options.system_identifier = big_number_of(given, "systemIdentifier", 0);
  if (!is_valid_wal_segment_size(options.segment_bytes) || options.block_size < 1024 ||
      options.block_size > 65536 || (options.block_size & (options.block_size - 1)) != 0) {
    throw_error(info.Env(), bad_argument("options"));
    return;
  }
  catalog_version_ = number_of(given, "catalogVersion");
  filter_ = filter_of(info[1].As<Napi::Object>());
  reader_ = std::make_unique<WalReader>(posix_file_system(), std::move(options));
}

// begin(lsn: bigint): bigint | null
Napi::Value WalObject::begin(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (reader_ == nullptr || info.Length() != 1 || !info[0].IsBigInt())
    THROW_IF_ERROR(env, bad_argument("lsn"));
  bool lossless;
  const Lsn lsn = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  bool found;
  pending_ = false;
  THROW_IF_ERROR(env, reader_->begin_after(lsn, &found));
  if (!found) return env.Null();
  return Napi::BigInt::New(env, reader_->record().lsn);
}

Status WalObject::advance(WalBatchState* state, uint32_t* budget) {
  *state = WalBatchState::more;
  while (!pending_) {
    if (*budget == 0) return Status::ok;
    --*budget;
    bool found;
    RETURN_IF_ERROR(reader_->next(&found));
    if (!found) {
      *state = WalBatchState::end_of_log;
      return Status::ok;
    }
    const DecodedWalRecord& record = reader_->record();
    if (record.end_lsn > filter_.end) {
      *state = WalBatchState::end_reached;
      return Status::ok;
    }
    pending_ = filter_.accepts(record);
  }
  return Status::ok;
}

// next(batch: Uint8Array, describe: boolean): number of records
Napi::Value WalObject::next(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (reader_ == nullptr || info.Length() != 2 || !info[0].IsTypedArray())
    THROW_IF_ERROR(env, bad_argument("batch"));
  auto batch = info[0].As<Napi::Uint8Array>();
  const size_t size = batch.ByteLength();
  if (size < sizeof(WalBatchHeader)) THROW_IF_ERROR(env, bad_argument("batch"));
  auto* bytes = reinterpret_cast<std::byte*>(batch.Data());
  const bool describe = info[1].ToBoolean().Value();
  WalBatchHeader header{};
  size_t at = sizeof(WalBatchHeader);
  uint32_t budget = records_per_call_max;
  for (;;) {
    WalBatchState state;
    THROW_IF_ERROR(env, advance(&state, &budget));
    header.state = static_cast<uint32_t>(state);
    if (!pending_) break;
    const DecodedWalRecord& record = reader_->record();
    const RecordDescriber describer(reader_->major(), catalog_version_);
    const char* type = describer.type_name(record.rmgr(), record.header.xl_info);
    text_.clear();
    WalBatchRecord entry{};
    if (describe) entry.undescribed = describer.describe(record, &text_) ? 0 : 1;
    entry.lsn = record.lsn;
    entry.end_lsn = record.end_lsn;
    entry.prev_lsn = record.header.xl_prev;
    entry.xid = value_of(record.header.xl_xid);
    entry.total_length = record.header.xl_tot_len;
    entry.fpi_length = image_bytes(record);
    entry.main_data_length = record.main_data_length;
    entry.text_length = static_cast<uint32_t>(text_.size());
    entry.origin = record.origin;
    entry.rmid = record.rmgr();
    entry.info = record.header.xl_info;
    entry.type_length = static_cast<uint8_t>(type == nullptr ? 0 : std::strlen(type));
    entry.toplevel_xid = value_of(record.toplevel_xid);
    for (int id = 0; id < record.block_count; id++)
      if (record.blocks[id].in_use) entry.block_count++;
    const size_t length =
        max_align(sizeof(WalBatchRecord) + entry.block_count * sizeof(WalBatchBlock) +
                  entry.type_length + entry.text_length);
    if (length > size - at) {
      if (header.records == 0)
        header.needed = static_cast<uint32_t>(sizeof(WalBatchHeader) + length);
      break;
    }
    entry.entry_length = static_cast<uint32_t>(length);
    std::byte* to = bytes + at;
    const auto put = [&](const void* from, size_t count) {
      std::memcpy(to, from, count);
      to += count;
    };
    put(&entry, sizeof(entry));
    for (int id = 0; id < record.block_count; id++) {
      const WalBlock& block = record.blocks[id];
      if (!block.in_use) continue;
      const WalBatchBlock reference{block.relation,           value_of(block.number),
                                    block.image_length,       block.hole_offset,
                                    block.hole_length,        block.data_length,
                                    static_cast<uint8_t>(id), static_cast<uint8_t>(block.fork),
                                    block.fork_flags,         block.bimg_info};
      put(&reference, sizeof(reference));
    }
    if (type != nullptr) put(type, entry.type_length);
    put(text_.data(), text_.size());
    at += length;
    header.records++;
    pending_ = false;
  }
  std::memcpy(bytes, &header, sizeof(header));
  return Napi::Number::New(env, header.records);
}

Napi::Value WalObject::position(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(),
                           reader_ == nullptr ? invalid_lsn : reader_->record().end_lsn);
}

Napi::Value WalObject::end_reason(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), reader_ == nullptr ? "" : reader_->end_reason());
}

Napi::Value WalObject::major(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), reader_ == nullptr ? 0 : reader_->major());
}

// readWal(options, filter): NativeWal
Napi::Value read_wal(const Napi::CallbackInfo& info) {
  return environment(info.Env()).wal_class.New({info[0], info[1]});
}

// resourceManagerNames(): string[], by id
Napi::Value resource_manager_names(const Napi::CallbackInfo& info) {
  const Napi::Array names = Napi::Array::New(info.Env(), rmgr_builtin_count);
  for (uint8_t id = 0; id < rmgr_builtin_count; id++)
    names.Set(id, Napi::String::New(info.Env(), resource_manager_name(id)));
  return names;
}

Napi::Value wal_release(const Napi::CallbackInfo& info) {
  const auto magic = static_cast<uint16_t>(info[0].ToNumber().Uint32Value());
  return Napi::Number::New(info.Env(), major_of_page_magic(magic));
}

}  // namespace pgdata

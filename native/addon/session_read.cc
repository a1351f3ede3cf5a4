// SessionObject: reading.
#include <utility>
#include <vector>

#include "addon/prepared_lookup.h"
#include "addon/prepared_range.h"
#include "addon/scan_object.h"
#include "addon/session_arguments.h"
#include "addon/session_call.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");

}  // namespace

// lookup(relation, index, keyLayout, keys, layout, batch, hits): number
Napi::Value SessionObject::lookup(const Napi::CallbackInfo& info) {
  return read(info, 7, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("relation"));
    state_->begin_operation(select_name, table->definition().oid, true);
    THROW_IF_ERROR(env, lock_for_single_read(info[0], *table));
    const size_t index = info[1].As<Napi::Number>().Uint32Value();
    Staged keys;
    THROW_IF_ERROR(env, staged_of(*table, info[2], info[3], &keys));
    const RowReader reader(*keys.layout, keys.bytes, keys.size);
    THROW_IF_ERROR(env, reader.check());
    Staged batch;
    THROW_IF_ERROR(env, staged_of(*table, info[4], info[5], &batch));
    std::byte* hits = nullptr;
    size_t hits_size = 0;
    if (!info[6].IsUndefined() &&
        (!bytes_of(info[6], &hits, &hits_size) || hits_size < reader.rows()))
      THROW_IF_ERROR(env, bad_argument("hits"));
    RowWriter writer(*batch.layout, batch.bytes, batch.size);
    RowOutput output(*table, *batch.layout);
    uint32_t answered = 0;
    THROW_IF_ERROR(env, lookup_rows(view, *table, index, *keys.layout, reader, output, &writer,
                                    reinterpret_cast<uint8_t*>(hits), &answered));
    return Napi::Number::New(env, answered);
  });
}

template <typename Read>
Napi::Value SessionObject::prepare(const Napi::CallbackInfo& info) {
  return call(info, 6, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("relation"));
    const size_t index = info[1].As<Napi::Number>().Uint32Value();
    Staged keys;
    THROW_IF_ERROR(env, staged_of(*table, info[2], info[3], &keys));
    Staged batch;
    THROW_IF_ERROR(env, staged_of(*table, info[4], info[5], &batch));
    if (!PreparedRead::is_possible(*state_, *table)) return env.Undefined();
    return PreparedRead::make(env, std::make_unique<Read>(state_, table, index, keys, batch),
                              info[3], info[5]);
  });
}

// prepareLookup(relation, index, keyLayout, keys, layout, batch): () => number
Napi::Value SessionObject::prepare_lookup(const Napi::CallbackInfo& info) {
  return prepare<PreparedLookup>(info);
}

// prepareRange(relation, index, keyLayout, keys, layout, batch): PreparedRange
Napi::Value SessionObject::prepare_range(const Napi::CallbackInfo& info) {
  return prepare<PreparedRange>(info);
}

// scan(relation, layout, filters, filterLayout, constants): NativeScan
Napi::Value SessionObject::scan(const Napi::CallbackInfo& info) {
  return read(info, 5, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("relation"));
    const RowLayout* layout = table->row_layout(info[1].As<Napi::Number>().Uint32Value());
    if (layout == nullptr) THROW_IF_ERROR(env, bad_argument("layout"));
    state_->begin_operation(select_name, table->definition().oid);
    THROW_IF_ERROR(env, lock_for_reading(info[0], *table));
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, filter_of(*table, info[2], info[3], info[4], &filter));
    return ScanObject::make(
        env, state_, std::shared_ptr<const RowLayout>(table, layout),
        scan_heap(view.context, *view.snapshot, table, *layout, std::move(filter)));
  });
}

// range(relation, layout, range, boundsLayout, bounds, filters, filterLayout, constants): NativeScan
Napi::Value SessionObject::range(const Napi::CallbackInfo& info) {
  return read(info, 8, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber() || !info[2].IsObject())
      THROW_IF_ERROR(env, bad_argument("relation"));
    const RowLayout* layout = table->row_layout(info[1].As<Napi::Number>().Uint32Value());
    if (layout == nullptr) THROW_IF_ERROR(env, bad_argument("layout"));
    state_->begin_operation(select_name, table->definition().oid);
    THROW_IF_ERROR(env, lock_for_reading(info[0], *table));
    const auto object = info[2].As<Napi::Object>();
    IndexRange range;
    range.index = object.Get("index").ToNumber().Uint32Value();
    range.backward = object.Get("backward").ToBoolean().Value();
    range.lower_count = object.Get("lowerCount").ToNumber().Int32Value();
    range.lower_inclusive = object.Get("lowerInclusive").ToBoolean().Value();
    range.upper_count = object.Get("upperCount").ToNumber().Int32Value();
    range.upper_inclusive = object.Get("upperInclusive").ToBoolean().Value();
    Staged bounds;
    THROW_IF_ERROR(env, staged_of(*table, info[3], info[4], &bounds));
    const RowReader reader(*bounds.layout, bounds.bytes, bounds.size);
    THROW_IF_ERROR(env, reader.check());
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, filter_of(*table, info[5], info[6], info[7], &filter));
    std::unique_ptr<TableScan> scan;
    THROW_IF_ERROR(env, scan_index(view.context, *view.snapshot, table, *layout, range,
                                   *bounds.layout, reader, std::move(filter), &scan));
    return ScanObject::make(env, state_, std::shared_ptr<const RowLayout>(table, layout),
                            std::move(scan));
  });
}

// aggregate(relation, aggregates, filters, filterLayout, constants): (number | bigint | null)[]
Napi::Value SessionObject::aggregate(const Napi::CallbackInfo& info) {
  return read(info, 5, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsArray()) THROW_IF_ERROR(env, bad_argument("relation"));
    state_->begin_operation(select_name, table->definition().oid);
    THROW_IF_ERROR(env, lock_for_single_read(info[0], *table));
    const auto array = info[1].As<Napi::Array>();
    std::vector<AggregateRequest> requests;
    for (uint32_t i = 0; i < array.Length(); i++) {
      const Napi::Object object = Napi::Value(array.Get(i)).ToObject();
      const std::string kind = object.Get("kind").ToString().Utf8Value();
      AggregateRequest request;
      request.kind = kind == "sum"   ? AggregateKind::sum
                     : kind == "min" ? AggregateKind::min
                     : kind == "max" ? AggregateKind::max
                     : kind == "avg" ? AggregateKind::avg
                                     : AggregateKind::count;
      request.attribute = object.Get("attribute").ToNumber().Int32Value() - 1;
      if (request.attribute >= table->natts()) THROW_IF_ERROR(env, bad_argument("attribute"));
      requests.push_back(request);
    }
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, filter_of(*table, info[2], info[3], info[4], &filter));
    std::vector<AggregateValue> values;
    THROW_IF_ERROR(env, aggregate_rows(view, *table, requests, *filter, &values));
    Napi::Array result = Napi::Array::New(env, values.size());
    constexpr __int128 exact = __int128{1} << 53;
    for (uint32_t i = 0; i < values.size(); i++) {
      const AggregateValue& value = values[i];
      if (value.kind == AggregateValue::Kind::null) {
        result.Set(i, env.Null());
      } else if (value.kind == AggregateValue::Kind::real) {
        result.Set(i, Napi::Number::New(env, value.real));
      } else if (value.integer <= exact && value.integer >= -exact) {
        result.Set(i, Napi::Number::New(env, static_cast<double>(value.integer)));
      } else {
        const bool negative = value.integer < 0;
        const auto magnitude = negative ? -static_cast<unsigned __int128>(value.integer)
                                        : static_cast<unsigned __int128>(value.integer);
        const uint64_t words[2] = {static_cast<uint64_t>(magnitude),
                                   static_cast<uint64_t>(magnitude >> 64)};
        result.Set(i, Napi::BigInt::New(env, negative ? 1 : 0, 2, words));
      }
    }
    return result;
  });
}

}  // namespace pgdata

// PreparedRange: a scan that most often ends with its first batch.
#include "addon/prepared_range.h"

#include <utility>

#include "addon/scan_object.h"
#include "table/table_read.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");

}  // namespace

Napi::Value PreparedRange::read(Napi::Env env, const int32_t* arguments, ReadLock* lock) {
  const auto columns = static_cast<int32_t>(keys_.layout->columns().size());
  if (arguments[0] < 0 || arguments[0] > columns || arguments[1] < 0 || arguments[1] > columns ||
      arguments[3] < 1)
    THROW_IF_ERROR(env, bad_argument("range"));
  const int32_t flags = arguments[2];
  const IndexRange range{.index = index_,
                         .backward = (flags & backward) != 0,
                         .lower_count = arguments[0],
                         .lower_inclusive = (flags & lower_inclusive) != 0,
                         .upper_count = arguments[1],
                         .upper_inclusive = (flags & upper_inclusive) != 0};
  const auto rows_max = static_cast<uint32_t>(arguments[3]);
  SessionState& session = *session_;
  const CountingScope counting(session.counters());
  const WaitReport reporting(session.activity);
  const ToldAfterwards told(session);
  return read_visible(env, session, false, [&](const ReadView& view) -> Napi::Value {
    session.begin_operation(select_name, table_->definition().oid, true);
    const RowReader reader(*keys_.layout, keys_.bytes, keys_.size);
    THROW_IF_ERROR(env, reader.check());
    if (reader.rows() != 2) THROW_IF_ERROR(env, bad_argument("range"));
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, Filter::create(*table_, {}, nullptr, nullptr, &filter));
    std::unique_ptr<TableScan> scan;
    THROW_IF_ERROR(env, scan_index(view.context, *view.snapshot, table_, *batch_.layout, range,
                                   *keys_.layout, reader, std::move(filter), &scan));
    RowWriter writer(*batch_.layout, batch_.bytes, batch_.size, rows_max);
    THROW_IF_ERROR(env, scan->next(&writer));
    if (writer.has_ended() || writer.rows() == rows_max)
      return to_value(env, static_cast<int32_t>(writer.rows()));
    if (writer.rows() == 0) return to_value(env, static_cast<int32_t>(NoAnswer::too_long));
    return go_on(env, std::move(scan), lock);
  });
}

// The lock that the call has does not last as long as the scan, which has no pin now: whoever redefines the relation in
// between is heard of.
Napi::Value PreparedRange::go_on(Napi::Env env, std::unique_ptr<TableScan> scan, ReadLock* lock) {
  LockSession& locks = *session_->locks;
  if (!locks.holds(tag_)) {
    lock->end();
    LockOutcome outcome{};
    THROW_IF_ERROR(
        env, locks.acquire(tag_, LockLevel::access_share, LockScope::transaction, false, &outcome));
    if (outcome == LockOutcome::not_available || session_->core->has_invalidations())
      return to_value(env, static_cast<int32_t>(NoAnswer::not_now));
  }
  session_->begin_operation(select_name, table_->definition().oid);
  return ScanObject::make(env, session_, std::shared_ptr<const RowLayout>(table_, batch_.layout),
                          std::move(scan));
}

}  // namespace pgdata

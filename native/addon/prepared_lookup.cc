// PreparedLookup: one staged key, one row.
#include "addon/prepared_lookup.h"

#include "table/table_read.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");

}  // namespace

Napi::Value PreparedLookup::read(Napi::Env env, const int32_t*, ReadLock*) {
  SessionState& session = *session_;
  const CountingScope counting(session.counters());
  const WaitReport reporting(session.activity);
  const ToldAfterwards told(session);
  return read_visible(env, session, false, [&](const ReadView& view) -> Napi::Value {
    session.begin_operation(select_name, table_->definition().oid, true);
    const RowReader reader(*keys_.layout, keys_.bytes, keys_.size);
    THROW_IF_ERROR(env, reader.check());
    RowWriter writer(*batch_.layout, batch_.bytes, batch_.size);
    uint32_t answered = 0;
    THROW_IF_ERROR(env, lookup_rows(view, *table_, index_, *keys_.layout, reader, output_, &writer,
                                    nullptr, &answered));
    if (answered == 0) return to_value(env, static_cast<int32_t>(NoAnswer::too_long));
    return to_value(env, writer.rows() > 0 ? 1 : 0);
  });
}

}  // namespace pgdata

// Wraparound limits: arithmetic on ids that wrap, and the words of errors and warnings.
#include "xact/wraparound_limits.h"

namespace pgdata {

namespace {

// Before the wrap.
constexpr uint32_t warn_margin = 40'000'000;
constexpr uint32_t stop_margin = 3'000'000;
constexpr uint32_t half_of_ids = 0xFFFFFFFFu >> 1;
constexpr uint32_t first_xid = 3;
constexpr uint32_t first_multi = 1;

// `id` is `distance` past or before a normal one; ids below `first` are passed over.
uint32_t passing_up(uint32_t id, uint32_t first) { return id < first ? id + first : id; }
uint32_t passing_down(uint32_t id, uint32_t first) { return id < first ? id - first : id; }

const char* old_transactions_hint() {
  return "You might also need to commit or roll back old prepared transactions, or drop stale "
         "replication slots.";
}

std::string words_of(const NamedDatabase& database) {
  if (!database.name.empty()) return "database \"" + database.name + "\"";
  return "database with OID " + std::to_string(database.oid);
}

Status exhausted(const char* what, const NamedDatabase& oldest) {
  return Status::error(ErrorCode::program_limit_exceeded,
                       "database is not accepting commands that assign new %s to avoid "
                       "wraparound data loss in %s",
                       what, words_of(oldest).c_str())
      .with_hint(std::string("Execute a database-wide VACUUM in that database.\n")
                     .append(old_transactions_hint()));
}

Status few_left(Status warning, const char* what) {
  return std::move(warning).with_hint(
      std::string("To avoid ")
          .append(what)
          .append(" assignment failures, execute a database-wide VACUUM in that database.\n")
          .append(old_transactions_hint()));
}

Status few_xids(const NamedDatabase& oldest, uint32_t left) {
  return Status::error(ErrorCode::warning, "%s must be vacuumed within %u transactions",
                       words_of(oldest).c_str(), left);
}

}  // namespace

XidLimits xid_limits(TransactionId oldest, uint32_t freeze_max_age) {
  const uint32_t wrap = passing_up(value_of(oldest) + half_of_ids, first_xid);
  return {TransactionId{passing_up(value_of(oldest) + freeze_max_age, first_xid)},
          TransactionId{passing_down(wrap - warn_margin, first_xid)},
          TransactionId{passing_down(wrap - stop_margin, first_xid)}, TransactionId{wrap}};
}

MultiXactLimits multixact_limits(MultiXactId oldest, uint32_t freeze_max_age) {
  const uint32_t wrap = passing_up(oldest + half_of_ids, first_multi);
  return {passing_up(oldest + freeze_max_age, first_multi),
          passing_down(wrap - warn_margin, first_multi),
          passing_down(wrap - stop_margin, first_multi), wrap};
}

uint32_t member_stop_limit(uint32_t oldest_offset, uint32_t members_per_segment) {
  return oldest_offset - oldest_offset % members_per_segment - members_per_segment;
}

bool members_reach(uint32_t boundary, uint32_t start, uint32_t count) {
  // Offset 0 is passed over.
  uint32_t finish = start + count;
  if (finish < start) ++finish;
  if (start < boundary) return finish >= boundary || finish < start;
  return finish >= boundary && finish < start;
}

Status xids_exhausted(const NamedDatabase& oldest) { return exhausted("transaction IDs", oldest); }

Status multixacts_exhausted(const NamedDatabase& oldest) {
  return exhausted("MultiXactIds", oldest);
}

Status members_exhausted(Oid oldest, uint32_t wanted, uint32_t left) {
  return Status::error(ErrorCode::program_limit_exceeded, "multixact \"members\" limit exceeded")
      .with_detail("This command would create a multixact with " + std::to_string(wanted) +
                   " members, but the remaining space is only enough for " + std::to_string(left) +
                   (left == 1 ? " member." : " members."))
      .with_hint("Execute a database-wide VACUUM in database with OID " + std::to_string(oldest) +
                 " with reduced \"vacuum_multixact_freeze_min_age\" and "
                 "\"vacuum_multixact_freeze_table_age\" settings.");
}

Status few_xids_left(const NamedDatabase& oldest, uint32_t left) {
  return few_left(few_xids(oldest, left), "transaction ID");
}

Status few_xids_left_at_limit(const NamedDatabase& oldest, uint32_t left) {
  return few_left(few_xids(oldest, left), "XID");
}

Status few_multixacts_left(const NamedDatabase& oldest, uint32_t left) {
  return few_left(Status::error(ErrorCode::warning, "%s must be vacuumed before %u more %s used",
                                words_of(oldest).c_str(), left,
                                left == 1 ? "MultiXactId is" : "MultiXactIds are"),
                  "MultiXactId");
}

Status few_members_left(Oid oldest, uint32_t left) {
  return Status::error(ErrorCode::warning,
                       "database with OID %u must be vacuumed before %u more multixact %s used",
                       oldest, left, left == 1 ? "member is" : "members are")
      .with_hint(
          "Execute a database-wide VACUUM in that database with reduced "
          "\"vacuum_multixact_freeze_min_age\" and \"vacuum_multixact_freeze_table_age\" "
          "settings.");
}

}  // namespace pgdata

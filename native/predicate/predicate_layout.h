// What predicate locking keeps in the shared segment: transactions, conflicts, lock targets, SIREAD locks.
//
// Things refer to each other by number within their pool (Ref), counted from 1, so that zero bytes are an empty state.
// Source: src/include/storage/predicate_internals.h, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/types.h"
#include "shmem/lwlock.h"

namespace pgdata::predicate {

// One of a pool's items; none by default.
template <typename T>
struct Ref {
  uint32_t number = 0;
  explicit operator bool() const { return number != 0; }
  friend bool operator==(Ref, Ref) = default;
};

template <typename T>
struct Link {
  Ref<T> previous;
  Ref<T> next;
};

template <typename T>
struct List {
  Ref<T> first;
  Ref<T> last;
  bool is_empty() const { return !first; }
};

struct PoolState {
  uint32_t touched;     // items that were ever taken: 1 .. touched
  uint32_t free_first;  // head of the chain of those that were given back
  uint32_t in_use;
};

// Items of one kind. Whoever calls `take` or `give_back` holds the lock that the pool belongs to. An item that is free
// has the number of the next free one in its first bytes.
template <typename T>
class Pool {
 public:
  Pool() = default;
  Pool(PoolState* state, T* items, uint32_t items_max)
      : state_(state), items_(items), items_max_(items_max) {}

  T& operator[](Ref<T> ref) const { return items_[ref.number - 1]; }
  uint32_t available() const { return items_max_ - state_->in_use; }
  uint32_t in_use() const { return state_->in_use; }

  Ref<T> take() const {
    uint32_t number = state_->free_first;
    if (number != 0) {
      state_->free_first = *reinterpret_cast<const uint32_t*>(&items_[number - 1]);
    } else {
      if (state_->touched == items_max_) return {};
      number = ++state_->touched;
    }
    ++state_->in_use;
    new (&items_[number - 1]) T();
    return {number};
  }
  void give_back(Ref<T> ref) const {
    *reinterpret_cast<uint32_t*>(&items_[ref.number - 1]) = state_->free_first;
    state_->free_first = ref.number;
    --state_->in_use;
  }

 private:
  PoolState* state_ = nullptr;
  T* items_ = nullptr;
  uint32_t items_max_ = 0;
};

// A list of a pool's items, through one of their links.
template <auto link, typename T>
void append(const Pool<T>& pool, List<T>& list, Ref<T> item) {
  pool[item].*link = {list.last, {}};
  if (list.last)
    (pool[list.last].*link).next = item;
  else
    list.first = item;
  list.last = item;
}
template <auto link, typename T>
void remove(const Pool<T>& pool, List<T>& list, Ref<T> item) {
  const Link<T> around = pool[item].*link;
  if (around.previous)
    (pool[around.previous].*link).next = around.next;
  else
    list.first = around.next;
  if (around.next)
    (pool[around.next].*link).previous = around.previous;
  else
    list.last = around.previous;
  pool[item].*link = {};
}

// When serializable transactions were prepared and committed, in relation to each other.
using CommitSeq = uint64_t;
// Of an entry that does not exist in pg_serial.
inline constexpr CommitSeq no_commit_seq = 0;
// Of prepared transactions that a restart found.
inline constexpr CommitSeq recovery_commit_seq = 1;
inline constexpr CommitSeq first_commit_seq = 2;
// Of what has not committed: after everything.
inline constexpr CommitSeq never_commit_seq = UINT64_MAX;

// What a lock is on: a relation; a page of it; a tuple of that. The name in files of prepared transactions is
// PREDICATELOCKTARGETTAG.
//
//   offset  size  field       meaning
//        0     4  database    pg_database.oid
//        4     4  relation    pg_class.oid, of a table or an index
//        8     4  page        block, or no_page: the whole relation
//       12     4  item        line pointer, or 0: the whole page
struct Tag {
  static constexpr uint32_t no_page = 0xFFFFFFFF;
  Oid database = invalid_oid;
  Oid relation = invalid_oid;
  uint32_t page = no_page;
  uint32_t item = 0;

  bool is_tuple() const { return item != 0; }
  bool is_relation() const { return page == no_page; }
  // The next coarser tag. Not for a relation.
  Tag parent() const {
    return is_tuple() ? Tag{database, relation, page, 0} : Tag{database, relation, no_page, 0};
  }
  bool is_covered_by(const Tag& coarser) const {
    if (relation != coarser.relation || database != coarser.database || coarser.is_tuple())
      return false;
    if (coarser.is_relation()) return !is_relation();
    return is_tuple() && page == coarser.page;
  }
  friend bool operator==(const Tag&, const Tag&) = default;
};
static_assert(sizeof(Tag) == 16);

inline uint32_t hash_of(const Tag& tag) {
  uint64_t hash = (static_cast<uint64_t>(tag.database) << 32 | tag.relation) * 0x9E3779B97F4A7C15u;
  hash ^= (static_cast<uint64_t>(tag.page) << 32 | tag.item);
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9u;
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

struct Xact;
struct Conflict;
struct Target;
struct SireadLock;

enum XactFlag : uint32_t {
  SXACT_FLAG_COMMITTED = 0x001,
  SXACT_FLAG_PREPARED = 0x002,  // about to commit: others can no longer have it rolled back
  SXACT_FLAG_ROLLED_BACK = 0x004,
  SXACT_FLAG_DOOMED = 0x008,  // will roll back
  SXACT_FLAG_CONFLICT_OUT =
      0x010,  // committed with a conflict out to one that had committed before
  SXACT_FLAG_READ_ONLY = 0x020,
  SXACT_FLAG_RO_SAFE = 0x080,
  SXACT_FLAG_RO_UNSAFE = 0x100,
  SXACT_FLAG_SUMMARY_CONFLICT_IN = 0x200,
  SXACT_FLAG_SUMMARY_CONFLICT_OUT = 0x400,
};

// A serializable transaction (SERIALIZABLEXACT): lives until every transaction that overlapped it has ended.
struct Xact {
  Link<Xact> of_active;
  Link<Xact> of_finished;
  Ref<Xact> next_of_xid;  // in its bucket of the table by xid
  CommitSeq prepare_seq = never_commit_seq;
  CommitSeq commit_seq = never_commit_seq;
  // The newest commit that the snapshot sees.
  CommitSeq last_commit_before_snapshot = 0;
  // With SXACT_FLAG_CONFLICT_OUT: when the first of those had committed.
  CommitSeq earliest_out_conflict_commit = 0;
  List<Conflict> out;  // by those whose writes this one did not see
  List<Conflict> in;   // by those that did not see this one's writes
  // Of a read-only one: the writers that may yet make its snapshot unsafe; of a writer: those read-only ones.
  List<Conflict> possible_unsafe;
  List<SireadLock> locks;
  int32_t slot = -1;                                       // of the backend that runs it
  TransactionId xid = invalid_transaction_id;              // none until it writes
  TransactionId finished_before = invalid_transaction_id;  // the next xid when it ended
  TransactionId xmin = invalid_transaction_id;             // of its snapshot
  // XactFlags; written under the xact lock, single bits are also looked at without.
  std::atomic<uint32_t> flags{0};

  bool has(XactFlag flag) const { return (flags.load(std::memory_order_relaxed) & flag) != 0; }
  void set(uint32_t flag) {
    flags.store(flags.load(std::memory_order_relaxed) | flag, std::memory_order_relaxed);
  }
  void clear(uint32_t flag) {
    flags.store(flags.load(std::memory_order_relaxed) & ~flag, std::memory_order_relaxed);
  }
};

// `out` read something that `in` wrote a newer version of: `out` appears to come first. Serves also to remember that
// the read-only `in` overlaps the writer `out`.
struct Conflict {
  Link<Conflict> of_out;
  Link<Conflict> of_in;
  Ref<Xact> out;
  Ref<Xact> in;
};

// Something that somebody holds a lock on.
struct Target {
  Ref<Target> next_in_bucket;
  Tag tag;
  List<SireadLock> locks;
};

struct SireadLock {
  Link<SireadLock> of_target;
  Link<SireadLock> of_xact;
  Ref<Target> target;
  Ref<Xact> xact;
  // Of a lock that was left by summarised transactions: when the last of them committed.
  CommitSeq commit_seq = never_commit_seq;
};

inline constexpr uint32_t partition_count = 16;

struct alignas(64) PartitionLock {
  LwLock lock;
};

// The order of these locks is the order in which they are taken.
struct Shared {
  // The list of finished transactions, and cleaning up after them.
  alignas(64) LwLock finished_lock;
  // Lists of a transaction's locks: shared by who uses its own transaction's or a finished one's, exclusive by who
  // changes those of others.
  alignas(64) LwLock list_lock;
  // Targets whose hash is the index modulo partition_count, and the locks on them; ascending.
  PartitionLock partitions[partition_count];
  // Transactions and conflicts.
  alignas(64) LwLock xact_lock;
  // The pools of targets and locks.
  alignas(64) LwLock pool_lock;

  // Under the xact lock, the first also looked at without: the oldest xmin of a transaction that runs, invalid when
  // none does; how many have it; how many may write.
  alignas(64) std::atomic<TransactionId> global_xmin;
  uint32_t global_xmin_count;
  uint32_t writable_count;
  CommitSeq commits;  // since the segment was made
  // Of transactions that committed up to here, locks and conflicts in matter no more.
  CommitSeq can_partial_clear_through;
  // Under the finished lock: they have been given up to here.
  CommitSeq have_partial_cleared_through;
  List<Xact> active;  // all Xacts but `summary`
  List<Xact> finished;
  Ref<Xact> summary;  // stands for all summarised transactions: holds their locks
  PoolState xacts;
  PoolState conflicts;
  PoolState targets;
  PoolState locks;
};

}  // namespace pgdata::predicate

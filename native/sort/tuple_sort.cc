// TupleSort: in memory while it fits, in runs when it does not.
#include "sort/tuple_sort.h"

#include <bit>
#include <cstring>

#include "base/invariant.h"
#include "base/stop_point.h"

namespace pgdata {

namespace {

constexpr uint64_t memory_min_bytes = 64 << 10;
// Larger ones bring little, smaller ones are no whole block. One in 32 of memory, so that many tapes can be merged.
constexpr uint64_t extent_bytes_min = 8 << 10;
constexpr uint64_t extent_bytes_max = 256 << 10;
constexpr uint64_t extents_in_memory = 32;
// As PostgreSQL's MINORDER and MAXORDER.
constexpr uint64_t merge_order_min = 6;
constexpr uint64_t merge_order_max = 500;
// An entry, and its place in the memory that sorting takes.
constexpr uint64_t entry_bytes = 2 * sizeof(SortEntry);
constexpr size_t capacity_min = 64;
// Room for as many tuples more than are wanted before the rest is thrown away again.
constexpr uint64_t unwanted_min = 256;
constexpr uint64_t cancel_interval = 1024;
// So many are on their way into the processor's caches while tuples are given in order.
constexpr size_t tuples_ahead = 16;

size_t extent_bytes_for(uint64_t memory) {
  return static_cast<size_t>(
      std::clamp(std::bit_floor(memory / extents_in_memory), extent_bytes_min, extent_bytes_max));
}

// While what is wanted is copied there are two of it.
uint64_t limit_for(const SortOptions& options, size_t extent_bytes) {
  const uint64_t memory = std::max(options.memory_bytes, memory_min_bytes) - extent_bytes;
  return options.tuples_wanted > 0 ? memory / 3 * 2 : memory;
}

}  // namespace

const char* name_of(SortMethod method) {
  switch (method) {
    case SortMethod::quicksort:
      return "quicksort";
    case SortMethod::top_n:
      return "top-N heapsort";
    case SortMethod::external_sort:
      return "external sort";
    case SortMethod::external_merge:
      return "external merge";
  }
  return "";
}

TupleSort::TupleSort(TemporarySpace& space, TupleOrder* order, const SortOptions& options)
    : space_(space),
      order_(order),
      options_(options),
      extent_bytes_(extent_bytes_for(std::max(options.memory_bytes, memory_min_bytes))),
      memory_limit_(limit_for(options, extent_bytes_)),
      merge_order_(static_cast<size_t>(
          std::clamp(std::max(options.memory_bytes, memory_min_bytes) / extent_bytes_ - 1,
                     merge_order_min, merge_order_max))) {}

TupleSort::~TupleSort() = default;

uint64_t TupleSort::memory_bytes() const {
  return memory_.bytes() + entries_.capacity() * sizeof(SortEntry) +
         entries_.size() * sizeof(SortEntry);
}

Status TupleSort::check_canceled() const {
  if (options_.canceled == nullptr || !options_.canceled->load(std::memory_order_relaxed))
    return Status::ok;
  return Status::error(ErrorCode::query_canceled, "canceling statement due to user request");
}

bool TupleSort::before(const SortEntry& left, const SortEntry& right) const {
  if (!(left.key() == right.key())) return left.key() < right.key();
  if (order_ != nullptr && !order_->are_equal(left.key())) {
    const int compared = order_->compare(memory_.at(left.place), memory_.at(right.place));
    if (compared != 0) return compared < 0;
  }
  return left.place < right.place;
}

Status TupleSort::add(LeadingKey key, const void* bytes, uint32_t size, uint8_t tag) {
  INVARIANT(phase_ == Phase::adding);
  INVARIANT(key.rank <= 1);
  INVARIANT(tag <= tag_max);
  ++tuples_;
  if (!has_room(size)) RETURN_IF_ERROR(make_room(size));
  const auto marks = static_cast<uint8_t>(tag << 1 | key.rank);
  const uint64_t used = memory_bytes();
  SortEntry entry{key.bits, {}};
  std::byte* to =
      memory_.add(size, marks, memory_limit_ > used ? memory_limit_ - used : 0, &entry.place);
  if (size > 0) std::memcpy(to, bytes, size);
  if (has_last_wanted_ && !before(entry, last_wanted_)) {
    memory_.take_back(entry.place);
    return Status::ok;
  }
  entries_.push_back(entry);
  const uint64_t wanted = options_.tuples_wanted;
  if (wanted == 0) return Status::ok;
  const uint64_t unwanted = is_bounded_ ? std::max(wanted, unwanted_min) : wanted;
  return entries_.size() > wanted + unwanted ? keep_wanted() : Status();
}

bool TupleSort::has_room(uint32_t size) const {
  return entries_.size() < entries_.capacity() &&
         memory_bytes() + memory_.needed_for(size) + sizeof(SortEntry) <= memory_limit_;
}

// Twice as many while that fits; then as many as will fit if tuples go on to be as large as they were.
size_t TupleSort::larger_capacity() const {
  const size_t now = entries_.capacity();
  if (now == 0) return capacity_min;
  const uint64_t used = memory_bytes();
  if (used >= memory_limit_) return now;
  const uint64_t rest = memory_limit_ - used;
  const uint64_t tuple_bytes = memory_.bytes() / now;
  const uint64_t more = std::min<uint64_t>(now, rest / (tuple_bytes + entry_bytes));
  return more < now / 32 + 1 ? now : now + static_cast<size_t>(more);
}

Status TupleSort::make_room(uint32_t size) {
  if (entries_.size() == entries_.capacity()) {
    const size_t capacity = larger_capacity();
    if (capacity > entries_.capacity()) RETURN_IF_ERROR(entries_.grow(capacity));
  }
  if (has_room(size)) return Status::ok;
  const uint64_t wanted = options_.tuples_wanted;
  if (wanted > 0 && entries_.size() > wanted) {
    RETURN_IF_ERROR(keep_wanted());
    // Else it would soon be full again.
    if (memory_bytes() <= memory_limit_ / 2) return Status::ok;
  }
  if (entries_.size() > 0) RETURN_IF_ERROR(write_run());
  // One that is larger than the limit has to be taken all the same.
  return Status::ok;
}

// Throws away what cannot be among the first ones any more.
Status TupleSort::keep_wanted() {
  const auto wanted = static_cast<size_t>(options_.tuples_wanted);
  INVARIANT(entries_.size() > wanted);
  is_bounded_ = true;
  std::nth_element(entries_.begin(), entries_.begin() + wanted - 1, entries_.end(),
                   [this](const SortEntry& a, const SortEntry& b) { return before(a, b); });
  const TuplePlace last = entries_[wanted - 1].place;
  entries_.truncate(wanted);
  std::sort(entries_.begin(), entries_.end(),
            [](const SortEntry& a, const SortEntry& b) { return a.place < b.place; });
  TupleMemory kept;
  for (SortEntry& entry : entries_) {
    const TupleView tuple = memory_.at(entry.place);
    const bool is_last = entry.place == last;
    std::byte* to = kept.add(tuple.size, marks_of(entry.place), memory_limit_ / 2, &entry.place);
    if (tuple.size > 0) std::memcpy(to, tuple.bytes, tuple.size);
    if (is_last) last_wanted_ = entry;
  }
  has_last_wanted_ = true;
  note_peak(memory_bytes() + kept.bytes());
  memory_ = std::move(kept);
  return check_canceled();
}

// In their order tuples lie all over the memory.
void TupleSort::prefetch_after(size_t index) const {
  if (index + tuples_ahead < entries_.size())
    memory_.prefetch(entries_[index + tuples_ahead].place);
}

void TupleSort::sort_in_memory() {
  note_peak(memory_bytes());
  sort_by_leading_key({entries_.begin(), entries_.end()});
  if (order_ == nullptr) return;
  for (SortEntry* start = entries_.begin(); start != entries_.end();) {
    SortEntry* end = start + 1;
    while (end != entries_.end() && end->key() == start->key()) ++end;
    if (end - start > 1 && !order_->are_equal(start->key()))
      std::sort(start, end,
                [this](const SortEntry& a, const SortEntry& b) { return before(a, b); });
    start = end;
  }
}

Status TupleSort::write_run() {
  RETURN_IF_ERROR(check_canceled());
  sort_in_memory();
  if (tapes_ == nullptr) tapes_ = std::make_unique<TapeSet>(space_, extent_bytes_);
  if (writer_ == nullptr) writer_ = std::make_unique<TapeWriter>(*tapes_);
  size_t count = entries_.size();
  if (options_.tuples_wanted > 0)
    count = static_cast<size_t>(std::min<uint64_t>(count, options_.tuples_wanted));
  writer_->begin();
  for (size_t i = 0; i < count; ++i) {
    if (i % cancel_interval == 0) RETURN_IF_ERROR(check_canceled());
    prefetch_after(i);
    const SortEntry& entry = entries_[i];
    const TupleView tuple = memory_.at(entry.place);
    std::byte header[TapedTuple::header_bytes];
    TapedTuple{tuple.size, marks_of(entry.place), entry.bits}.store(header);
    RETURN_IF_ERROR(writer_->write(header, sizeof(header)));
    RETURN_IF_ERROR(writer_->write(tuple.bytes, tuple.size));
  }
  Tape run;
  RETURN_IF_ERROR(writer_->end(&run));
  runs_.push_back(run);
  ++runs_written_;
  memory_.clear();
  entries_.truncate(0);
  has_last_wanted_ = false;
  stop_point("sort run written");
  return Status::ok;
}

Status TupleSort::sort(uint64_t tuples, bool* done) {
  *done = false;
  if (phase_ == Phase::adding) {
    if (runs_.empty()) {
      sort_in_memory();
      if (options_.tuples_wanted > 0 && entries_.size() > options_.tuples_wanted)
        entries_.truncate(static_cast<size_t>(options_.tuples_wanted));
      phase_ = Phase::reading;
    } else {
      if (entries_.size() > 0) RETURN_IF_ERROR(write_run());
      entries_.release();
      phase_ = Phase::merging;
    }
  }
  if (phase_ == Phase::merging) RETURN_IF_ERROR(go_on_merging(tuples));
  *done = phase_ == Phase::reading;
  return Status::ok;
}

// Merges of runs that arrived one after the other, as few as will do.
Status TupleSort::go_on_merging(uint64_t tuples) {
  const size_t runs_left = options_.rewinds ? 1 : merge_order_;
  for (;;) {
    RETURN_IF_ERROR(check_canceled());
    if (merge_ == nullptr) {
      if (runs_.size() <= runs_left) {
        writer_.reset();
        phase_ = Phase::reading;
        return read_runs();
      }
      if (tuples == 0) return Status::ok;
      if (merge_position_ + 2 > runs_.size()) merge_position_ = 0;
      merge_width_ =
          std::min({merge_order_, runs_.size() - runs_left + 1, runs_.size() - merge_position_});
      begin_merge();
      RETURN_IF_ERROR(merge_->open());
      note_peak(merge_->memory_bytes() + extent_bytes_);
    }
    for (; tuples > 0 && !merge_->is_at_end(); --tuples) {
      if (options_.tuples_wanted > 0 && given_ == options_.tuples_wanted) break;
      if (given_ % cancel_interval == 0) RETURN_IF_ERROR(check_canceled());
      std::byte header[TapedTuple::header_bytes];
      merge_->header().store(header);
      RETURN_IF_ERROR(writer_->write(header, sizeof(header)));
      RETURN_IF_ERROR(writer_->write(merge_->bytes(), merge_->header().size));
      RETURN_IF_ERROR(merge_->next());
      ++given_;
    }
    const bool is_enough = options_.tuples_wanted > 0 && given_ == options_.tuples_wanted;
    if (!merge_->is_at_end() && !is_enough) return Status::ok;
    RETURN_IF_ERROR(end_merge());
  }
}

void TupleSort::begin_merge() {
  merge_ = std::make_unique<RunMerge>(
      *tapes_, std::span<const Tape>(runs_).subspan(merge_position_, merge_width_), order_, true);
  given_ = 0;
  writer_->begin();
}

Status TupleSort::end_merge() {
  Tape merged;
  RETURN_IF_ERROR(writer_->end(&merged));
  note_peak(merge_->memory_bytes() + extent_bytes_);
  merge_.reset();
  const auto first = runs_.begin() + static_cast<ptrdiff_t>(merge_position_);
  *first = merged;
  runs_.erase(first + 1, first + static_cast<ptrdiff_t>(merge_width_));
  ++merge_position_;
  return Status::ok;
}

Status TupleSort::read_runs() {
  merge_ = std::make_unique<RunMerge>(*tapes_, runs_, order_, !options_.rewinds);
  given_ = 0;
  is_first_ = true;
  RETURN_IF_ERROR(merge_->open());
  note_peak(merge_->memory_bytes());
  return Status::ok;
}

Status TupleSort::next(SortedTuple* tuple, bool* found) {
  INVARIANT(phase_ == Phase::reading);
  *found = false;
  if (merge_ == nullptr) {
    if (read_ == entries_.size()) return Status::ok;
    prefetch_after(read_);
    const SortEntry& entry = entries_[read_++];
    *tuple = {entry.key(), entry.tag(), memory_.at(entry.place)};
    *found = true;
    return Status::ok;
  }
  if (options_.tuples_wanted > 0 && given_ == options_.tuples_wanted) return Status::ok;
  if (!is_first_ && !merge_->is_at_end()) RETURN_IF_ERROR(merge_->next());
  is_first_ = false;
  if (merge_->is_at_end()) return Status::ok;
  if (given_ % cancel_interval == 0) RETURN_IF_ERROR(check_canceled());
  ++given_;
  const TapedTuple& header = merge_->header();
  tuple->key = {header.bits, static_cast<uint8_t>(header.marks & 1)};
  tuple->tag = static_cast<uint8_t>(header.marks >> 1);
  tuple->tuple = {merge_->bytes(), header.size};
  *found = true;
  return Status::ok;
}

Status TupleSort::rewind() {
  INVARIANT(phase_ == Phase::reading);
  if (merge_ == nullptr) {
    read_ = 0;
    return Status::ok;
  }
  INVARIANT(options_.rewinds);
  return read_runs();
}

SortReport TupleSort::report() const {
  SortReport report;
  report.tuples = tuples_;
  report.runs = runs_written_;
  report.memory_peak_bytes = std::max(memory_peak_, memory_bytes());
  report.is_on_disk = runs_written_ > 0;
  if (report.is_on_disk)
    report.method = runs_.size() == 1 ? SortMethod::external_sort : SortMethod::external_merge;
  else if (is_bounded_)
    report.method = SortMethod::top_n;
  const uint64_t bytes = report.is_on_disk ? tapes_->disk_bytes() : report.memory_peak_bytes;
  report.space_kb = (bytes + 1023) / 1024;
  return report;
}

}  // namespace pgdata

// PartitionWindow: finds each row's frame, then computes its functions.
#include "executor/partition_window.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace pgdata {

namespace {

// Bytes of by-reference values after which a batch has enough.
constexpr size_t batch_bytes = 64 * 1024;
// Rows after which memory is given back.
constexpr uint64_t trim_rows = 128;
// Steps of a cursor after which it looks at the time.
constexpr uint64_t steps_at_once = 1024;

uint64_t added(uint64_t one, uint64_t other) {
  return other > UINT64_MAX - one ? UINT64_MAX : one + other;
}

uint64_t subtracted(uint64_t one, uint64_t other) { return one > other ? one - other : 0; }

}  // namespace

PartitionWindow::PartitionWindow(Execution& execution, OperatorPointer child,
                                 std::vector<ValueType> types, WindowKeys partition,
                                 WindowKeys peers, const WindowFrame& frame,
                                 std::vector<WindowCall> calls)
    : Operator(execution, only(std::move(child))),
      types_(std::move(types)),
      partition_(types_, std::move(partition), account()),
      peers_(std::move(peers)),
      frame_(frame),
      distances_(account()),
      calls_(std::move(calls)),
      rows_(execution.temporary_space(), types_, account(), execution.work_mem_bytes()),
      given_(calls_.size()),
      next_group_(rows_, account()),
      start_group_(rows_, account()),
      end_group_(rows_, account()),
      start_range_(rows_, account()),
      end_range_(rows_, account()),
      current_reader_(rows_, account()),
      value_reader_(rows_, account()),
      argument_reader_(rows_, account()),
      argument_(account()),
      groups_(std::make_unique<uint32_t[]>(batch_rows_max)),
      out_(account(), types_.size() + calls_.size()) {
  for (const WindowCall& call : calls_) {
    switch (call.function) {
      case WindowFunction::row_number:
        break;
      case WindowFunction::rank:
      case WindowFunction::dense_rank:
        needs_groups_ = true;
        break;
      case WindowFunction::percent_rank:
      case WindowFunction::cume_dist:
        needs_groups_ = true;
        needs_all_ = true;
        break;
      case WindowFunction::ntile:
        needs_all_ = true;
        break;
      case WindowFunction::lag:
      case WindowFunction::lead: {
        const bool is_ahead = (call.function == WindowFunction::lead) == (call.number >= 0);
        uint64_t& most = is_ahead ? lead_ : lag_;
        most = std::max(most, static_cast<uint64_t>(std::abs(call.number)));
        break;
      }
      case WindowFunction::nth_value:
      case WindowFunction::last_value:
        reads_values_of_frame_ = true;
        needs_frame_ = true;
        break;
      case WindowFunction::aggregate:
        needs_frame_ = true;
        break;
    }
  }
  if (!needs_frame_) return;
  for (FrameBound* bound : {&frame_.start, &frame_.end}) {
    const bool is_by_reference = frame_.order.offset_type() == type_oid::numeric;
    if (bound->has_offset() && is_by_reference)
      bound->distance = frame_.order.type.copy(bound->distance, distances_);
    const bool is_of_peers =
        bound->kind == FrameBoundKind::current_row && frame_.mode != FrameMode::rows;
    if (is_of_peers || frame_.mode == FrameMode::groups) needs_groups_ = true;
  }
  if (frame_.end.kind == FrameBoundKind::unbounded) needs_all_ = true;
  if (frame_.exclusion == FrameExclusion::group || frame_.exclusion == FrameExclusion::ties)
    needs_groups_ = true;
}

PartitionWindow::~PartitionWindow() { account().give(charged_); }

void PartitionWindow::begin_partition() {
  rows_.clear();
  is_complete_ = false;
  current_ = 0;
  group_ = 0;
  group_start_ = 0;
  group_end_ = 0;
  frame_start_ = 0;
  frame_end_ = 0;
  std::fill(given_.begin(), given_.end(), Given{});
  for (GroupCursor* cursor : {&next_group_, &start_group_, &end_group_}) {
    cursor->row = 0;
    cursor->group = 0;
  }
  start_range_.row = 0;
  end_range_.row = 0;
}

bool PartitionWindow::is_time_up(uint64_t steps) {
  if (steps % steps_at_once == 0) is_time_up_ = execution().is_out_of_time();
  return is_time_up_;
}

// To the next row; not past the end.
Status PartitionWindow::advance(GroupCursor* cursor, bool* known) {
  const uint64_t next = cursor->row + 1;
  if (!has_come(next)) {
    *known = is_complete_;
    if (!is_complete_) return Status::ok;
    cursor->row = next;
    cursor->group++;
    return Status::ok;
  }
  const std::byte* left = nullptr;
  const std::byte* right = nullptr;
  RETURN_IF_ERROR(cursor->left.read(cursor->row, &left));
  RETURN_IF_ERROR(cursor->right.read(next, &right));
  const RowPacker& packer = rows_.packer();
  bool differ = false;
  for (size_t i = 0; !differ && i < peers_.columns.size(); i++) {
    const size_t column = peers_.columns[i];
    const bool is_null = packer.is_null(left, column);
    differ = is_null != packer.is_null(right, column);
    if (differ || is_null) continue;
    const KeyColumn& equality = peers_.equality[i];
    differ =
        equality.compare(packer.value(left, column), packer.value(right, column), equality) != 0;
  }
  cursor->row = next;
  if (differ) cursor->group++;
  *known = true;
  return Status::ok;
}

// To the first row of which more groups than `groups` are before, or the end.
Status PartitionWindow::advance_past(GroupCursor* cursor, uint64_t groups, bool* known) {
  *known = true;
  uint64_t steps = 0;
  while (cursor->group <= groups && (has_come(cursor->row) || !is_complete_)) {
    *known = has_come(cursor->row) && !is_time_up(++steps);
    if (*known) RETURN_IF_ERROR(advance(cursor, known));
    if (!*known) return Status::ok;
  }
  return Status::ok;
}

// To the first row that is within (of a start), or beyond (of an end), the distance from the current one.
Status PartitionWindow::advance_range(RangeCursor* cursor, const FrameBound& bound, bool is_start,
                                      bool* known) {
  const RangeOrder& order = frame_.order;
  const RowPacker& packer = rows_.packer();
  const std::byte* current = nullptr;
  RETURN_IF_ERROR(current_reader_.read(current_, &current));
  const bool is_current_null = packer.is_null(current, order.column);
  const bool subtracts = (bound.kind == FrameBoundKind::preceding) != order.descending;
  const bool less = is_start == order.descending;
  for (uint64_t steps = 0; has_come(cursor->row); cursor->row++) {
    *known = !is_time_up(++steps);
    if (!*known) return Status::ok;
    const std::byte* row = nullptr;
    RETURN_IF_ERROR(cursor->reader.read(cursor->row, &row));
    const bool is_null = packer.is_null(row, order.column);
    bool goes_on = false;
    if (is_null || is_current_null) {
      // Nulls are peers of nulls alone, all at one end.
      const bool is_before = is_null != is_current_null && is_null == order.nulls_first;
      goes_on = is_before || (!is_start && is_null == is_current_null);
    } else {
      bool is_in_range = false;
      RETURN_IF_ERROR(order.is_in_range(packer.value(row, order.column),
                                        packer.value(current, order.column), bound.distance,
                                        subtracts, less, &is_in_range));
      goes_on = is_in_range != is_start;
    }
    if (goes_on) continue;
    *known = true;
    return Status::ok;
  }
  *known = is_complete_;
  return Status::ok;
}

Status PartitionWindow::locate_group(bool* known) {
  if (current_ >= group_end_ && current_ > 0) {
    group_++;
    group_start_ = current_;
    group_end_ = UINT64_MAX;  // until it is known
  }
  RETURN_IF_ERROR(advance_past(&next_group_, group_, known));
  if (*known) group_end_ = next_group_.row;
  return Status::ok;
}

Status PartitionWindow::locate_start(bool* known) {
  const FrameBound& bound = frame_.start;
  const bool is_back = bound.kind == FrameBoundKind::preceding;
  *known = true;
  if (bound.kind == FrameBoundKind::unbounded) {
    frame_start_ = 0;
  } else if (bound.kind == FrameBoundKind::current_row) {
    frame_start_ = frame_.mode == FrameMode::rows ? current_ : group_start_;
  } else if (frame_.mode == FrameMode::rows) {
    frame_start_ = is_back ? subtracted(current_, bound.count) : added(current_, bound.count);
  } else if (frame_.mode == FrameMode::groups) {
    const uint64_t wanted = is_back ? subtracted(group_, bound.count) : added(group_, bound.count);
    if (wanted > 0) RETURN_IF_ERROR(advance_past(&start_group_, wanted - 1, known));
    frame_start_ = start_group_.row;
  } else {
    RETURN_IF_ERROR(advance_range(&start_range_, bound, true, known));
    frame_start_ = start_range_.row;
  }
  return Status::ok;
}

Status PartitionWindow::locate_end(bool* known) {
  const FrameBound& bound = frame_.end;
  const bool is_back = bound.kind == FrameBoundKind::preceding;
  *known = true;
  if (bound.kind == FrameBoundKind::unbounded) {
    frame_end_ = rows_.rows();
  } else if (bound.kind == FrameBoundKind::current_row) {
    frame_end_ = frame_.mode == FrameMode::rows ? current_ + 1 : group_end_;
  } else if (frame_.mode == FrameMode::rows) {
    const uint64_t next = current_ + 1;
    const uint64_t end = is_back ? subtracted(next, bound.count) : added(next, bound.count);
    *known = is_complete_ || end <= rows_.rows();
    frame_end_ = std::min(end, rows_.rows());
  } else if (frame_.mode == FrameMode::groups) {
    if (is_back && bound.count > group_) {
      frame_end_ = 0;
      return Status::ok;
    }
    const uint64_t last = is_back ? group_ - bound.count : added(group_, bound.count);
    RETURN_IF_ERROR(advance_past(&end_group_, last, known));
    frame_end_ = end_group_.row;
  } else {
    RETURN_IF_ERROR(advance_range(&end_range_, bound, false, known));
    frame_end_ = end_range_.row;
  }
  return Status::ok;
}

// What is left of the frame without what is excluded.
void PartitionWindow::cut_frame() {
  std::array<Span, 2> excluded;
  size_t count = 0;
  switch (frame_.exclusion) {
    case FrameExclusion::none:
      break;
    case FrameExclusion::current_row:
      excluded[count++] = {current_, current_ + 1};
      break;
    case FrameExclusion::group:
      excluded[count++] = {group_start_, group_end_};
      break;
    case FrameExclusion::ties:
      excluded[count++] = {group_start_, current_};
      excluded[count++] = {current_ + 1, group_end_};
      break;
  }
  span_count_ = 0;
  uint64_t from = frame_start_;
  const auto put = [&](uint64_t to) {
    if (from < to) spans_[span_count_++] = {from, to};
  };
  for (size_t i = 0; i < count; i++) {
    if (excluded[i].first >= excluded[i].end) continue;
    put(std::min(excluded[i].first, frame_end_));
    from = std::max(from, excluded[i].end);
  }
  put(frame_end_);
}

Status PartitionWindow::locate(bool* known) {
  *known = is_complete_ || (!needs_all_ && has_come(added(current_, lead_)));
  if (*known && needs_groups_) RETURN_IF_ERROR(locate_group(known));
  if (!needs_frame_) return Status::ok;
  if (*known) RETURN_IF_ERROR(locate_start(known));
  if (*known) RETURN_IF_ERROR(locate_end(known));
  if (*known) cut_frame();
  return Status::ok;
}

// Adds the arguments of rows to an aggregate, or takes them away; `*done` is false where that cannot be done.
Status PartitionWindow::feed(const WindowCall& call, Span rows, bool removes, bool* done) {
  const auto count = static_cast<uint32_t>(rows.end - rows.first);
  Column column = argument_.column();
  *done = true;
  if (call.argument < 0) {
    if (removes) return call.aggregate->remove(nullptr, count, groups_.get(), done);
    return call.aggregate->add(nullptr, count, groups_.get());
  }
  const auto argument = static_cast<size_t>(call.argument);
  const RowPacker& packer = rows_.packer();
  for (uint64_t row = rows.first; *done && row < rows.end;) {
    uint32_t taken = 0;
    do {
      const std::byte* packed = nullptr;
      RETURN_IF_ERROR(argument_reader_.read(row++, &packed));
      column.nulls[taken] = packer.is_null(packed, argument) ? 1 : 0;
      column.values[taken] = column.nulls[taken] != 0 ? 0 : packer.value(packed, argument);
      taken++;
      // Values of another chunk may take the place of these.
    } while (row < std::min(rows.end, argument_reader_.chunk_end()));
    if (removes)
      RETURN_IF_ERROR(call.aggregate->remove(&column, taken, groups_.get(), done));
    else
      RETURN_IF_ERROR(call.aggregate->add(&column, taken, groups_.get()));
  }
  return Status::ok;
}

// Makes an aggregate that of the current row's frame.
Status PartitionWindow::fill(size_t i, bool* done) {
  WindowCall& call = calls_[i];
  Given& given = given_[i];
  const bool excludes = frame_.exclusion != FrameExclusion::none;
  const auto begin = [&] {
    call.aggregate->clear();
    call.aggregate->resize(1);
    given = {{frame_start_, frame_start_}, current_, true};
  };
  if (!given.begun || (excludes && given.row != current_) ||
      (frame_start_ > given.span.first && frame_start_ >= given.span.end))
    begin();
  const auto has_time = [&] { return *done = !execution().is_out_of_time(); };
  while (given.span.first < frame_start_) {
    const uint64_t end = std::min<uint64_t>(frame_start_, given.span.first + batch_rows_max);
    bool removed = false;
    RETURN_IF_ERROR(feed(call, {given.span.first, end}, true, &removed));
    given.span.first = end;
    if (!removed) begin();
    if (given.span.first < frame_start_ && !has_time()) return Status::ok;
  }
  for (size_t s = 0; s < span_count_; s++) {
    uint64_t from = std::max(given.span.end, spans_[s].first);
    while (from < spans_[s].end) {
      const uint64_t end = std::min<uint64_t>(spans_[s].end, from + batch_rows_max);
      bool added_all = false;
      RETURN_IF_ERROR(feed(call, {from, end}, false, &added_all));
      given.span.end = from = end;
      if (from < spans_[s].end && !has_time()) return Status::ok;
    }
  }
  *done = true;
  return Status::ok;
}

bool PartitionWindow::row_of_frame(uint64_t number, uint64_t* row) const {
  for (size_t s = 0; s < span_count_; s++) {
    const uint64_t length = spans_[s].end - spans_[s].first;
    if (number < length) {
      *row = spans_[s].first + number;
      return true;
    }
    number -= length;
  }
  return false;
}

Status PartitionWindow::value_at(uint64_t row, int column, const ValueType& type, Datum* value,
                                 bool* is_null) {
  const std::byte* packed = nullptr;
  RETURN_IF_ERROR(value_reader_.read(row, &packed));
  const RowPacker& packer = rows_.packer();
  const auto at = static_cast<size_t>(column);
  *is_null = packer.is_null(packed, at);
  if (!*is_null) *value = type.copy(packer.value(packed, at), out_.arena());
  return Status::ok;
}

Status PartitionWindow::compute(size_t i, const std::byte* current, Datum* value, bool* is_null) {
  const WindowCall& call = calls_[i];
  const uint64_t rows = rows_.rows();
  const auto of_double = [](double result) { return std::bit_cast<Datum>(result); };
  *is_null = false;
  *value = 0;
  uint64_t row = 0;
  switch (call.function) {
    case WindowFunction::row_number:
      *value = current_ + 1;
      return Status::ok;
    case WindowFunction::rank:
      *value = group_start_ + 1;
      return Status::ok;
    case WindowFunction::dense_rank:
      *value = group_ + 1;
      return Status::ok;
    case WindowFunction::percent_rank:
      *value = of_double(
          rows > 1 ? static_cast<double>(group_start_) / static_cast<double>(rows - 1) : 0.0);
      return Status::ok;
    case WindowFunction::cume_dist:
      *value = of_double(static_cast<double>(group_end_) / static_cast<double>(rows));
      return Status::ok;
    case WindowFunction::ntile: {
      // The first parts have a row more where rows are left over.
      const auto parts = static_cast<uint64_t>(call.number);
      const uint64_t size = rows / parts;
      const uint64_t larger = rows % parts;
      const uint64_t in_larger = larger * (size + 1);
      *value = current_ < in_larger ? current_ / (size + 1) + 1
                                    : larger + (current_ - in_larger) / size + 1;
      return Status::ok;
    }
    case WindowFunction::lag:
    case WindowFunction::lead: {
      const int64_t distance = call.function == WindowFunction::lead ? call.number : -call.number;
      const bool is_before = distance < 0 && static_cast<uint64_t>(-distance) > current_;
      row = current_ + static_cast<uint64_t>(distance);
      if (!is_before && row < rows)
        return value_at(row, call.argument, call.result_type, value, is_null);
      const auto fallback = static_cast<size_t>(call.fallback);
      *is_null = call.fallback < 0 || rows_.packer().is_null(current, fallback);
      if (!*is_null)
        *value = call.result_type.copy(rows_.packer().value(current, fallback), out_.arena());
      return Status::ok;
    }
    case WindowFunction::nth_value:
      *is_null = !row_of_frame(static_cast<uint64_t>(call.number - 1), &row);
      if (*is_null) return Status::ok;
      return value_at(row, call.argument, call.result_type, value, is_null);
    case WindowFunction::last_value:
      *is_null = span_count_ == 0;
      if (*is_null) return Status::ok;
      return value_at(spans_[span_count_ - 1].end - 1, call.argument, call.result_type, value,
                      is_null);
    case WindowFunction::aggregate:
      return call.aggregate->result(0, out_.arena(), value, is_null);
  }
  return Status::ok;
}

Status PartitionWindow::give_row(bool* done) {
  *done = true;
  for (size_t i = 0; i < calls_.size(); i++) {
    if (calls_[i].aggregate) RETURN_IF_ERROR(fill(i, done));
    if (!*done) return Status::ok;
  }
  const std::byte* packed = nullptr;
  RETURN_IF_ERROR(current_reader_.read(current_, &packed));
  const auto size = static_cast<size_t>(load<uint64_t>(packed));
  const std::byte* kept = out_.arena().copy(packed, size);
  Batch& out = out_.batch();
  const uint32_t to = out.rows;
  for (size_t i = 0; i < calls_.size(); i++) {
    const Column& column = out.columns[types_.size() + i];
    bool is_null = false;
    RETURN_IF_ERROR(compute(i, kept, &column.values[to], &is_null));
    column.nulls[to] = is_null ? 1 : 0;
  }
  rows_.packer().unpack(kept, &out);
  return Status::ok;
}

// No row before that one will be asked for.
uint64_t PartitionWindow::first_needed() const {
  uint64_t first = subtracted(current_, lag_);
  if (needs_groups_) first = std::min(first, next_group_.row);
  if (!needs_frame_) return first;
  if (frame_.mode == FrameMode::groups) {
    if (frame_.start.has_offset()) first = std::min(first, start_group_.row);
    if (frame_.end.has_offset()) first = std::min(first, end_group_.row);
  }
  if (frame_.mode == FrameMode::range) {
    if (frame_.start.has_offset()) first = std::min(first, start_range_.row);
    if (frame_.end.has_offset()) first = std::min(first, end_range_.row);
  }
  if (reads_values_of_frame_ || frame_.exclusion != FrameExclusion::none)
    return std::min(first, frame_start_);
  for (size_t i = 0; i < calls_.size(); i++) {
    if (!calls_[i].aggregate) continue;
    // Rows that leave the frame are read again; where none does, those behind were added.
    const bool is_moving = frame_.start.kind != FrameBoundKind::unbounded;
    first = std::min(first, is_moving ? given_[i].span.first : given_[i].span.end);
  }
  return first;
}

void PartitionWindow::charge_aggregates() {
  size_t held = 0;
  for (const WindowCall& call : calls_)
    if (call.aggregate) held += call.aggregate->bytes();
  account().take(held);
  account().give(charged_);
  charged_ = held;
}

Status PartitionWindow::produce(const Batch** batch, Progress* progress) {
  out_.clear();
  Batch& out = out_.batch();
  *batch = &out;
  bool is_paused = false;
  is_time_up_ = false;
  while (out.rows == 0 || (out.rows < batch_rows_wanted && out_.arena().held() < batch_bytes)) {
    if (has_come(current_)) {
      bool known = false;
      RETURN_IF_ERROR(locate(&known));
      is_paused = is_time_up_;
      if (is_paused) break;
      if (known) {
        bool done = false;
        RETURN_IF_ERROR(give_row(&done));
        is_paused = !done;
        if (is_paused) break;
        if (++current_ % trim_rows == 0) rows_.trim(std::min(first_needed(), current_));
        continue;
      }
    } else if (is_complete_) {
      if (is_input_ended_) break;
      begin_partition();
    }
    if (input_ == nullptr || row_ == input_->rows) {
      if (is_input_ended_) {
        is_complete_ = true;
        continue;
      }
      input_ = nullptr;
      RETURN_IF_ERROR(child().next(&input_, progress));
      row_ = 0;
      if (*progress == Progress::rows) continue;
      input_ = nullptr;
      is_paused = *progress == Progress::paused;
      if (is_paused) break;
      is_input_ended_ = true;
      is_complete_ = true;
      continue;
    }
    if (partition_.differ(input_->columns, row_)) {
      is_complete_ = rows_.rows() > 0;
      if (is_complete_) continue;
      partition_.keep(input_->columns, row_);
    }
    RETURN_IF_ERROR(rows_.add(input_->columns, row_++));
  }
  charge_aggregates();
  if (out.rows > 0)
    *progress = Progress::rows;
  else
    *progress = is_paused ? Progress::paused : Progress::ended;
  return Status::ok;
}

}  // namespace pgdata

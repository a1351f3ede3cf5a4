// Both stages of the sampling at once: each block's rows pass by as soon as the block is chosen.
#include "analyze/row_sample.h"

#include <algorithm>
#include <cmath>

#include "heap/visibility.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

class Sampler {
 public:
  Sampler(Backend& backend, const HeapRelation& relation, const RowSampling& sampling,
          RowSample* sample)
      : context_(backend),
        relation_(relation),
        visibility_(context_, nullptr),
        strategy_(backend.pool_of(relation.temporary), StrategyKind::vacuum),
        reservoir_(sampling.rows_wanted, sampling.random),
        sample_(*sample) {
    const RemovalHorizons horizons =
        backend.transactions().processes().removal_horizons(backend.database());
    oldest_xmin_ = relation.is_shared() ? horizons.shared : horizons.database;
  }

  Status visit(BlockNumber block) {
    BufferRef buffer;
    BufferPool& pool = context_.pool_of(relation_.temporary);
    RETURN_IF_ERROR(pool.read(relation_.locator, ForkNumber::main, block, ReadMode::normal,
                              &strategy_, &buffer));
    buffer.lock(LockMode::shared);
    Status status = look_at(buffer);
    visibility_.hints_done(buffer);
    return status;
  }

  double live() const { return live_; }
  double dead() const { return dead_; }

 private:
  // The page is locked.
  Status look_at(BufferRef& buffer) {
    const Page page = buffer.page();
    for (OffsetNumber offset = first_offset_number; offset <= page.max_offset(); offset++) {
      const LinePointer item = page.line_pointer(offset);
      if (!item.is_normal()) {
        if (item.is_dead()) dead_++;
        continue;
      }
      const ItemPointer self(buffer.block(), offset);
      if (!heap_item_is_sane(page, item)) return heap_item_corrupted(relation_, self);
      HeapTupleHeader& tuple = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
      VacuumVerdict verdict = VacuumVerdict::live;
      RETURN_IF_ERROR(visibility_.satisfies_vacuum(tuple, oldest_xmin_, buffer, &verdict));
      switch (verdict) {
        case VacuumVerdict::live:
        case VacuumVerdict::delete_in_progress:
          // A deletion that is under way has not happened yet; whoever commits it counts it.
          live_++;
          take({page.item(item), item.lp_len(), self});
          break;
        case VacuumVerdict::dead:
        case VacuumVerdict::recently_dead:
          dead_++;
          break;
        case VacuumVerdict::insert_in_progress:
          break;
      }
    }
    return Status::ok;
  }

  void take(const HeapTuple& tuple) {
    const std::optional<uint32_t> place = reservoir_.next();
    if (!place) return;
    if (*place == sample_.rows.size()) sample_.rows.emplace_back();
    RowSample::Row& row = sample_.rows[*place];
    row.self = tuple.self;
    row.bytes.assign(tuple.bytes, tuple.bytes + tuple.length);
  }

  ReadContext context_;
  const HeapRelation& relation_;
  Visibility visibility_;
  BufferStrategy strategy_;
  RowReservoir reservoir_;
  RowSample& sample_;
  TransactionId oldest_xmin_ = invalid_transaction_id;
  double live_ = 0;
  double dead_ = 0;
};

}  // namespace

Status sample_rows(Backend& backend, const HeapRelation& relation, const RowSampling& sampling,
                   RowSample* sample) {
  RETURN_IF_ERROR(backend.pool_of(relation.temporary)
                      .storage()
                      .block_count(relation.locator, ForkNumber::main, &sample->blocks));
  BlockSampler blocks(sample->blocks, sampling.rows_wanted, sampling.random);
  Sampler sampler(backend, relation, sampling, sample);
  while (const std::optional<uint32_t> block = blocks.next()) {
    RETURN_IF_ERROR(sampler.visit(BlockNumber{*block}));
    RETURN_IF_ERROR(sampling.pause(blocks.selected(), blocks.total()));
  }
  sample->sampled_blocks = blocks.selected();
  // Replaced rows are not where those before them were.
  if (sample->rows.size() == sampling.rows_wanted)
    std::sort(sample->rows.begin(), sample->rows.end(),
              [](const RowSample::Row& a, const RowSample::Row& b) { return a.self < b.self; });
  if (sample->sampled_blocks > 0) {
    const auto whole = [&](double counted) {
      return std::floor(counted / sample->sampled_blocks * sample->blocks + 0.5);
    };
    sample->live_rows = whole(sampler.live());
    sample->dead_rows = whole(sampler.dead());
  }
  return Status::ok;
}

}  // namespace pgdata

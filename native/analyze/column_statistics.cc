// The three ways of looking at a column.
#include "analyze/column_statistics.h"

#include <algorithm>
#include <cmath>

#include "base/invariant.h"
#include "tuple/array_value.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

constexpr size_t values_per_pause = 4096;
// Tracked values of a column without an order: for each common one as many besides, and at least so many.
constexpr size_t tracked_min = 10;
// More distinct values than this share of the rows: their number grows with the table.
constexpr double growing_share = 0.1;

// A value that occurs several times, and where: in the sorted values its first place, else the value itself.
struct Common {
  uint32_t count = 0;
  size_t first = 0;
};

bool is_varwidth(const Attribute& attribute) { return attribute.attlen < 0; }

// stanullfrac and stawidth of a column that has values.
void set_simple(const Attribute& attribute, const ColumnSample& sample,
                ColumnStatistics* statistics) {
  const uint64_t nonnull = sample.rows - sample.nulls;
  statistics->valid = true;
  statistics->null_fraction =
      static_cast<float>(static_cast<double>(sample.nulls) / static_cast<double>(sample.rows));
  statistics->width = is_varwidth(attribute)
                          ? static_cast<int32_t>(sample.width_bytes / static_cast<double>(nonnull))
                          : attribute.attlen;
}

void set_all_null(const Attribute& attribute, ColumnStatistics* statistics) {
  statistics->valid = true;
  statistics->null_fraction = 1;
  statistics->width = is_varwidth(attribute) ? 0 : attribute.attlen;
  statistics->distinct = 0;
}

// As if no value occurred twice in the table.
float all_distinct(const ColumnStatistics& statistics) {
  return static_cast<float>(-1.0 * (1.0 - static_cast<double>(statistics.null_fraction)));
}

// Haas and Stokes' estimator Duj1: `once` values occurred once in the sample, `repeated` others more often.
float estimated_distinct(const ColumnSample& sample, const ColumnStatistics& statistics,
                         double once, double repeated) {
  const double d = once + repeated;
  const double n = static_cast<double>(sample.rows - sample.nulls);
  const double total = sample.total_rows * (1.0 - static_cast<double>(statistics.null_fraction));
  double distinct = total > 0 ? (n * d) / ((n - once) + once * n / total) : 0;
  if (distinct < d) distinct = d;
  if (distinct > total) distinct = total;
  return static_cast<float>(std::floor(distinct + 0.5));
}

void scale_distinct(const ColumnSample& sample, ColumnStatistics* statistics) {
  const auto distinct = static_cast<double>(statistics->distinct);
  if (distinct > growing_share * sample.total_rows)
    statistics->distinct = static_cast<float>(-(distinct / sample.total_rows));
}

class Analyzer {
 public:
  Analyzer(const Attribute& attribute, const ColumnAnalysis& analysis, ColumnSample& sample,
           const std::function<Status()>& pause, ColumnStatistics* statistics)
      : attribute_(attribute),
        analysis_(analysis),
        sample_(sample),
        values_(sample.values),
        pause_(pause),
        statistics_(*statistics) {}

  Status distinct();
  Status scalar();

 private:
  bool are_equal(Datum a, Datum b) const {
    if (analysis_.order.compare == nullptr)
      return datum_bits_equal(attribute_.attbyval, attribute_.attlen, a, b);
    return analysis_.order.compare(a, b, analysis_.order) == 0;
  }
  Status sort(std::vector<uint32_t>* places);
  void count_equal(const std::vector<uint32_t>& places);
  void note_common(uint32_t count, size_t first);
  size_t common_values_kept(bool all_are_listed, const std::vector<uint32_t>& counts) const;
  void add_common_values(const std::vector<uint32_t>& counts, const std::vector<Datum>& values);
  void add_histogram(size_t kept);
  void add_correlation();
  std::vector<std::byte> array_of(const std::vector<Datum>& values) const {
    return form_array(attribute_, values);
  }

  const Attribute& attribute_;
  const ColumnAnalysis& analysis_;
  ColumnSample& sample_;
  std::vector<Datum>& values_;
  const std::function<Status()>& pause_;
  ColumnStatistics& statistics_;

  // Of the sorted values.
  std::vector<Common> common_;  // most common first
  size_t distinct_count_ = 0;
  size_t repeated_count_ = 0;
  double place_products_ =
      0;  // sum of the products of each value's places before and after sorting
};

// A complete list is stored whole; of any other, what stands out.
size_t Analyzer::common_values_kept(bool all_are_listed,
                                    const std::vector<uint32_t>& counts) const {
  if (all_are_listed && statistics_.distinct > 0 && counts.size() <= analysis_.target)
    return counts.size();
  std::vector<uint32_t> first(
      counts.begin(),
      counts.begin() + static_cast<ptrdiff_t>(std::min<size_t>(counts.size(), analysis_.target)));
  if (first.empty()) return 0;
  return worthy_common_values(first, static_cast<double>(statistics_.distinct),
                              static_cast<double>(statistics_.null_fraction), sample_.rows,
                              sample_.total_rows);
}

void Analyzer::add_common_values(const std::vector<uint32_t>& counts,
                                 const std::vector<Datum>& values) {
  if (values.empty()) return;
  StatisticSlot slot{StatisticKind::mcv, {}, array_of(values)};
  for (size_t i = 0; i < values.size(); i++)
    slot.numbers.push_back(
        static_cast<float>(static_cast<double>(counts[i]) / static_cast<double>(sample_.rows)));
  statistics_.slots.push_back(std::move(slot));
}

// Values are kept in the order of how often they were seen. A new one goes before those seen once, whose last one drops out
// of a full list.
Status Analyzer::distinct() {
  struct Tracked {
    Datum value;
    uint32_t count;
  };
  const size_t tracked_max = std::max<size_t>(size_t{2} * analysis_.target, tracked_min);
  std::vector<Tracked> tracked;
  for (size_t i = 0; i < values_.size(); i++) {
    if (i % values_per_pause == 0) RETURN_IF_ERROR(pause_());
    size_t place = 0;
    size_t first_once = tracked.size();
    for (; place < tracked.size() && !are_equal(values_[i], tracked[place].value); place++)
      if (place < first_once && tracked[place].count == 1) first_once = place;
    if (place < tracked.size()) {
      tracked[place].count++;
      for (; place > 0 && tracked[place].count > tracked[place - 1].count; place--)
        std::swap(tracked[place], tracked[place - 1]);
      continue;
    }
    if (first_once == tracked_max) continue;
    if (tracked.size() == tracked_max) tracked.pop_back();
    tracked.insert(tracked.begin() + static_cast<ptrdiff_t>(first_once), {values_[i], 1});
  }

  set_simple(attribute_, sample_, &statistics_);
  size_t repeated = 0;
  uint64_t repeated_rows = 0;
  for (; repeated < tracked.size() && tracked[repeated].count > 1; repeated++)
    repeated_rows += tracked[repeated].count;
  const bool is_complete = tracked.size() < tracked_max && sample_.too_wide == 0;
  if (repeated == 0) {
    statistics_.distinct = all_distinct(statistics_);
  } else if (is_complete && repeated == tracked.size()) {
    statistics_.distinct = static_cast<float>(tracked.size());
  } else {
    const uint64_t once = sample_.rows - sample_.nulls - repeated_rows;
    statistics_.distinct = estimated_distinct(sample_, statistics_, static_cast<double>(once),
                                              static_cast<double>(repeated));
  }
  scale_distinct(sample_, &statistics_);

  std::vector<uint32_t> counts;
  std::vector<Datum> common;
  for (const Tracked& value : tracked) {
    counts.push_back(value.count);
    common.push_back(value.value);
  }
  common.resize(common_values_kept(is_complete, counts));
  add_common_values(counts, common);
  return Status::ok;
}

// `*places`: where each of the sorted values was. Equal ones stay in their order.
Status Analyzer::sort(std::vector<uint32_t>* places) {
  RETURN_IF_ERROR(pause_());
  places->resize(values_.size());
  for (size_t i = 0; i < places->size(); i++) (*places)[i] = static_cast<uint32_t>(i);
  // Stable also where damaged values have no order: the merging never looks beyond the ends.
  std::stable_sort(places->begin(), places->end(), [this](uint32_t a, uint32_t b) {
    return analysis_.order.compare(values_[a], values_[b], analysis_.order) < 0;
  });
  std::vector<Datum> sorted;
  sorted.reserve(values_.size());
  for (const uint32_t place : *places) sorted.push_back(values_[place]);
  values_.swap(sorted);
  return pause_();
}

void Analyzer::note_common(uint32_t count, size_t first) {
  if (common_.size() < analysis_.target)
    common_.emplace_back();
  else if (count <= common_.back().count)
    return;
  size_t place = common_.size() - 1;
  for (; place > 0 && count > common_[place - 1].count; place--)
    common_[place] = common_[place - 1];
  common_[place] = {count, first};
}

void Analyzer::count_equal(const std::vector<uint32_t>& places) {
  uint32_t count = 0;
  for (size_t i = 0; i < values_.size(); i++) {
    place_products_ += static_cast<double>(i) * static_cast<double>(places[i]);
    count++;
    if (i + 1 < values_.size() && are_equal(values_[i], values_[i + 1])) continue;
    distinct_count_++;
    if (count > 1) {
      repeated_count_++;
      note_common(count, i + 1 - count);
    }
    count = 0;
  }
}

Status Analyzer::scalar() {
  set_simple(attribute_, sample_, &statistics_);
  if (values_.empty()) {
    // All of them are too wide to look at.
    statistics_.distinct = all_distinct(statistics_);
    return Status::ok;
  }
  std::vector<uint32_t> places;
  RETURN_IF_ERROR(sort(&places));
  count_equal(places);
  if (repeated_count_ == 0) {
    statistics_.distinct = all_distinct(statistics_);
  } else if (sample_.too_wide == 0 && repeated_count_ == distinct_count_) {
    statistics_.distinct = static_cast<float>(distinct_count_);
  } else {
    const size_t once = distinct_count_ - repeated_count_ + sample_.too_wide;
    statistics_.distinct = estimated_distinct(sample_, statistics_, static_cast<double>(once),
                                              static_cast<double>(repeated_count_));
  }
  scale_distinct(sample_, &statistics_);

  std::vector<uint32_t> counts;
  for (const Common& common : common_) counts.push_back(common.count);
  const bool all_are_listed = common_.size() == distinct_count_ && sample_.too_wide == 0;
  const size_t kept = common_values_kept(all_are_listed, counts);
  std::vector<Datum> values;
  for (size_t i = 0; i < kept; i++) values.push_back(values_[common_[i].first]);
  add_common_values(counts, values);
  add_histogram(kept);
  add_correlation();
  return Status::ok;
}

// Bounds of bins that hold as many values each, of those that are not among the `kept` common ones.
void Analyzer::add_histogram(size_t kept) {
  size_t bounds = distinct_count_ - kept;
  if (bounds > analysis_.target) bounds = size_t{analysis_.target} + 1;
  if (bounds < 2) return;
  common_.resize(kept);
  std::sort(common_.begin(), common_.end(),
            [](const Common& a, const Common& b) { return a.first < b.first; });
  std::vector<Datum> others;
  size_t from = 0;
  const auto take_upto = [&](size_t end) {
    others.insert(others.end(), values_.begin() + static_cast<ptrdiff_t>(from),
                  values_.begin() + static_cast<ptrdiff_t>(end));
  };
  for (const Common& common : common_) {
    take_upto(common.first);
    from = common.first + common.count;
  }
  take_upto(values_.size());
  INVARIANT(others.size() >= bounds);
  std::vector<Datum> histogram;
  for (size_t i = 0; i < bounds; i++)
    histogram.push_back(others[i * (others.size() - 1) / (bounds - 1)]);
  statistics_.slots.push_back({StatisticKind::histogram, {}, array_of(histogram)});
}

// Of the values' places in the heap with those in their order. Both are the numbers from 0 to n-1, whose sums are known.
void Analyzer::add_correlation() {
  if (values_.size() < 2) return;
  const auto n = static_cast<double>(values_.size());
  const double sum = (n - 1) * n / 2.0;
  const double squares = (n - 1) * n * (2 * n - 1) / 6.0;
  const double correlation = (n * place_products_ - sum * sum) / (n * squares - sum * sum);
  statistics_.slots.push_back({StatisticKind::correlation, {static_cast<float>(correlation)}, {}});
}

}  // namespace

Status compute_statistics(const Attribute& attribute, const ColumnAnalysis& analysis,
                          ColumnSample& sample, const std::function<Status()>& pause,
                          ColumnStatistics* statistics) {
  *statistics = ColumnStatistics{};
  if (sample.rows == 0) return Status::ok;
  if (sample.nulls == sample.rows) {
    set_all_null(attribute, statistics);
    return Status::ok;
  }
  Analyzer analyzer(attribute, analysis, sample, pause, statistics);
  switch (analysis.method) {
    case ColumnMethod::trivial:
      set_simple(attribute, sample, statistics);
      return Status::ok;
    case ColumnMethod::distinct:
      return analyzer.distinct();
    case ColumnMethod::scalar:
      return analyzer.scalar();
  }
  return Status::ok;
}

uint32_t worthy_common_values(const std::vector<uint32_t>& counts, double distinct,
                              double null_fraction, uint64_t sampled_rows, double total_rows) {
  auto kept = static_cast<uint32_t>(counts.size());
  const auto n = static_cast<double>(sampled_rows);
  // All of the table was seen.
  if (n == total_rows || total_rows <= 1.0) return kept;
  const double distinct_total = distinct < 0 ? -distinct * total_rows : distinct;
  // Rows of all listed values but the last.
  double before = 0;
  for (uint32_t i = 0; i + 1 < kept; i++) before += counts[i];
  while (kept > 0) {
    const double count = counts[kept - 1];
    // How often the planner would take the last one to occur if it were not listed.
    double share = std::clamp(1.0 - before / n - null_fraction, 0.0, 1.0);
    const double others = distinct_total - (kept - 1);
    if (others > 1) share /= others;
    // It stays if its count is above that by two standard deviations of a hypergeometric distribution, and a half.
    const double occurrences = total_rows * count / n;
    const double variance = n * occurrences * (total_rows - occurrences) * (total_rows - n) /
                            (total_rows * total_rows * (total_rows - 1));
    if (count > share * n + 2 * std::sqrt(variance) + 0.5) break;
    kept--;
    if (kept > 0) before -= counts[kept - 1];
  }
  return kept;
}

}  // namespace pgdata

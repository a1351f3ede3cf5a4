// Algorithms S, X and Z.
#include "analyze/sampling.h"

#include <cmath>

#include "base/invariant.h"

namespace pgdata {

namespace {

// Between 0 and 1, both excluded.
double fraction(SampleRandom& random) {
  for (;;) {
    const double value = static_cast<double>(random() >> 11) * 0x1.0p-53;
    if (value > 0) return value;
  }
}

// Algorithm Z pays from so many times the reservoir's size on (Vitter's T).
constexpr double search_share = 22;

}  // namespace

std::optional<uint32_t> BlockSampler::next() {
  if (passed_ >= blocks_ || selected_ >= wanted_) return std::nullopt;
  uint32_t remaining = blocks_ - passed_;
  const uint32_t missing = wanted_ - selected_;
  if (missing < remaining) {
    // A block is passed over with the probability 1 - missing / remaining. One random number does for a run of them:
    // compared with the probability that all of them are passed over, it need not be drawn again.
    const double draw = fraction(random_);
    double all_passed = 1 - static_cast<double>(missing) / remaining;
    while (draw < all_passed) {
      passed_++;
      remaining--;
      all_passed *= 1 - static_cast<double>(missing) / remaining;
    }
  }
  selected_++;
  return passed_++;
}

RowReservoir::RowReservoir(uint32_t size, SampleRandom& random)
    : size_(size), random_(random), w_(std::exp(-std::log(fraction(random)) / size)) {
  INVARIANT(size > 0);
}

std::optional<uint32_t> RowReservoir::next() {
  if (filled_ < size_) {
    seen_ += 1;
    return filled_++;
  }
  if (skip_ < 0) skip_ = rows_to_skip();
  std::optional<uint32_t> place;
  if (skip_ <= 0) place = static_cast<uint32_t>(size_ * fraction(random_));
  skip_ -= 1;
  seen_ += 1;
  return place;
}

double RowReservoir::rows_to_skip() {
  return seen_ <= search_share * size_ ? skip_by_search() : skip_by_rejection();
}

// Algorithm X: the smallest skip that is less likely to be exceeded than the number drawn.
double RowReservoir::skip_by_search() {
  const double draw = fraction(random_);
  double skip = 0;
  double t = seen_ + 1;
  double exceeded = (t - size_) / t;
  while (exceeded > draw) {
    skip += 1;
    t += 1;
    exceeded *= (t - size_) / t;
  }
  return skip;
}

// Algorithm Z: draws from a distribution that is easily drawn from, and rejects what would be drawn too often.
double RowReservoir::skip_by_rejection() {
  const double t = seen_;
  const double n = size_;
  const double term = t - n + 1;
  for (;;) {
    const double u = fraction(random_);
    const double x = t * (w_ - 1);
    const double skip = std::floor(x);
    // The quick test, Vitter's (6.3).
    const double ratio = (t + 1) / term;
    const double left = std::exp(std::log(u * ratio * ratio * (term + skip) / (t + x)) / n);
    const double right = (t + x) / (term + skip) * term / t;
    if (left <= right) {
      w_ = right / left;
      return skip;
    }
    // The exact one.
    double y = u * (t + 1) / term * (t + skip + 1) / (t + x);
    double denominator = n < skip ? t : t - n + skip;
    const double last = n < skip ? term + skip : t + 1;
    for (double numerator = t + skip; numerator >= last; numerator -= 1) {
      y *= numerator / denominator;
      denominator -= 1;
    }
    w_ = std::exp(-std::log(fraction(random_)) / n);
    if (std::exp(std::log(y) / n) <= (t + x) / t) return skip;
  }
}

}  // namespace pgdata

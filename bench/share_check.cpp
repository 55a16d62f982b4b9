#include "bench/share_check.hpp"

namespace abuzz::bench {

// The finaliser of SplitMix64: a bijection that leaves no pattern in sums.
std::uint64_t fingerprint(unsigned source, std::uint64_t sequence) noexcept {
  std::uint64_t word = (std::uint64_t{source} << 48) + sequence + 0x9e3779b97f4a7c15ull;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
  return word ^ (word >> 31);
}

void compare_shares(const Totals& sent, RoleReport& figures) noexcept {
  std::uint64_t expected = 0;
  for (std::size_t source = 0; source < sent.of_source.size(); ++source)
    for (std::uint64_t sequence = 1; sequence <= sent.of_source[source]; ++sequence)
      expected += fingerprint(static_cast<unsigned>(source), sequence);
  const std::uint64_t total = sent.sum();
  if (figures.shared < total) figures.lost += total - figures.shared;
  if (figures.shared > total) figures.doubled += figures.shared - total;
  if (figures.shared != total || figures.fingerprint == expected) return;
  // As many as were sent, but not the same ones: at least one of each.
  ++figures.lost;
  ++figures.doubled;
}

}  // namespace abuzz::bench

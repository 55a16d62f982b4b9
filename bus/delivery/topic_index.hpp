#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/topic.hpp"

namespace abuzz::delivery {

// Finds the subscriptions whose patterns match a topic, and the publications whose topics match a
// pattern, without looking at all there are: a pattern without wildcards is found by its text, and
// one with them is compared with each topic once, however many publish on it.
//
// Of things that have a text: `Publication::topic`, `Subscription::pattern`. What is in it stands
// still and is removed before it ends. One thread. Looking up does not allocate; nothing may be
// added or removed by who is called meanwhile.
template <class Publication, class Subscription>
class TopicIndex {
 public:
  void add(Publication& publication) { publications_[publication.topic].push_back(&publication); }
  void add(Subscription& subscription) {
    if (has_wildcard(subscription.pattern))
      with_wildcards_.push_back(&subscription);
    else
      subscriptions_[subscription.pattern].push_back(&subscription);
  }
  // What is not in it may be removed too.
  void remove(Publication& publication) {
    remove_from(publications_, publication.topic, publication);
  }
  void remove(Subscription& subscription) {
    if (has_wildcard(subscription.pattern))
      std::erase(with_wildcards_, &subscription);
    else
      remove_from(subscriptions_, subscription.pattern, subscription);
  }

  // `visit` is called with each match, until it returns false. Whether it never did.
  template <class Visit>
  bool visit_matches(const Publication& publication, Visit&& visit) const {
    const auto found = subscriptions_.find(publication.topic);
    if (found != subscriptions_.end() && !visit_all(found->second, visit)) return false;
    return std::all_of(with_wildcards_.begin(), with_wildcards_.end(), [&](Subscription* other) {
      return !matches(other->pattern, publication.topic) || visit(*other);
    });
  }
  template <class Visit>
  bool visit_matches(const Subscription& subscription, Visit&& visit) const {
    if (!has_wildcard(subscription.pattern)) {
      const auto found = publications_.find(subscription.pattern);
      return found == publications_.end() || visit_all(found->second, visit);
    }
    return std::all_of(publications_.begin(), publications_.end(), [&](const auto& entry) {
      return !matches(subscription.pattern, entry.first) || visit_all(entry.second, visit);
    });
  }

 private:
  template <class Item>
  using ByText = std::unordered_map<std::string, std::vector<Item*>>;

  static bool has_wildcard(std::string_view pattern) noexcept {
    return pattern.find_first_of("*>") != std::string_view::npos;
  }
  template <class Item, class Visit>
  static bool visit_all(const std::vector<Item*>& items, Visit& visit) {
    return std::all_of(items.begin(), items.end(), [&](Item* item) { return visit(*item); });
  }
  template <class Item>
  static void remove_from(ByText<Item>& items, const std::string& text, const Item& item) {
    const auto found = items.find(text);
    if (found == items.end()) return;
    std::erase(found->second, &item);
    if (found->second.empty()) items.erase(found);
  }

  ByText<Publication> publications_;
  ByText<Subscription> subscriptions_;
  std::vector<Subscription*> with_wildcards_;
};

}  // namespace abuzz::delivery

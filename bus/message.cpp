#include "bus/message.hpp"

#include <string>

#include "bus/mem/buffer.hpp"

namespace abuzz {

struct RetainedMessage::State {
  mem::Buffer buffer;
  std::string topic;
  MessageView view{MessageView::Fields{}};
};

RetainedMessage::RetainedMessage() : state_(std::make_unique<State>()) {}
RetainedMessage::RetainedMessage(RetainedMessage&&) noexcept = default;
RetainedMessage& RetainedMessage::operator=(RetainedMessage&&) noexcept = default;
RetainedMessage::~RetainedMessage() = default;

const MessageView& RetainedMessage::view() const noexcept {
  return state_->view;
}

RetainedMessage MessageView::retain() const {
  RetainedMessage kept;
  kept.state_->buffer = static_cast<const mem::Buffer*>(fields_.buffer)->share();
  kept.state_->topic = fields_.topic;
  kept.state_->view = *this;
  kept.state_->view.fields_.topic = kept.state_->topic;
  kept.state_->view.fields_.buffer = &kept.state_->buffer;
  kept.state_->view.fields_.place = {};  // a lease outlives the handler, not the view
  return kept;
}

}  // namespace abuzz

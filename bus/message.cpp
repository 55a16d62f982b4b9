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
  kept.state_->buffer = static_cast<const mem::Buffer*>(buffer_)->share();
  kept.state_->topic = topic_;
  kept.state_->view = *this;
  kept.state_->view.topic_ = kept.state_->topic;
  kept.state_->view.buffer_ = &kept.state_->buffer;
  kept.state_->view.place_ = {};  // a lease outlives the handler, not the view
  return kept;
}

}  // namespace abuzz

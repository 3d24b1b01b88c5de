"""The other outer protocol: Anthropic's Messages API, read and written. What both have in common is in openai_api."""

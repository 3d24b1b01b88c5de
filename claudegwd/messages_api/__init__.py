"""The other outer protocol: parsing and writing Anthropic's Messages API. Shared code is in openai_api."""

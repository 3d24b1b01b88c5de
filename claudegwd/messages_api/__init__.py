"""The second public protocol: parses and writes Anthropic's Messages API. Shared code is in openai_api."""

"""A resource of a kind that the proof does not search (a bucket, a table, a cache) is searched before it ships."""

from tests.template.template import RESOURCES

SEARCHED = {"AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::Serverless::StateMachine"}
HOLDS_NOTHING_OF_TENANTS = {
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::CloudWatch::Alarm",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::S3::BucketPolicy",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::Serverless::LayerVersion",
    "Custom::Schemas",
}


def test_every_resource_that_may_hold_what_tenants_send_is_searched() -> None:
    kinds = {resource["Type"] for resource in RESOURCES.values()}
    assert kinds - SEARCHED - HOLDS_NOTHING_OF_TENANTS == set()
